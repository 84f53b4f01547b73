from typing import Any

import pytest
from builders import NOW, claimed, owe, subscribed

from ledger import audit, settling, subscribers
from ledger.clock import HOUR
from ledger.deliveries import Attempt
from ledger.ledger import Ledger
from ledger.settling import Settlement

pytestmark = pytest.mark.anyio

ANN = "api key from 192.0.2.7"


async def told(ledger: Ledger, subscriber_id: str) -> list[dict[str, Any]]:
    """Newest first."""
    return [audit.document(row) for row in await ledger.read(audit.find, subscriber_id, 50)]


async def test_who_changed_what_is_written_down(ledger: Ledger) -> None:
    draft = subscribers.Draft("https://a.example", "sealed-1", sealed_headers="sealed-2", header_names=["x-key"])
    row = await ledger.write(subscribers.create, draft, ANN)
    await ledger.write(subscribers.change, row.id, {"url": "https://b.example", "events": ["*"]}, ANN)
    changed, created = await told(ledger, row.id)
    assert (created["at"], created["actor"], created["action"]) == ("2023-11-14T22:13:20.000Z", ANN, "created")
    assert created["changes"]["url"] == {"from": None, "to": "https://a.example"}
    assert (changed["actor"], changed["action"]) == (ANN, "changed")
    assert changed["changes"] == {
        "url": {"from": "https://a.example", "to": "https://b.example"},
        "events": {"from": list(row.events), "to": ["*"]},
    }


async def test_secrets_are_said_to_have_changed_and_no_more(ledger: Ledger) -> None:
    row = await subscribed(ledger, sealed_secret="sealed-1", sealed_headers="sealed-2")
    fresh = {"sealed_secret": "sealed-3", "sealed_private_key": "sealed-4", "public_key": "whpk_1"}
    await ledger.write(subscribers.rotate, row.id, fresh, HOUR, ANN)
    await ledger.write(subscribers.delete, row.id, ANN)
    deleted, rotated, created = await told(ledger, row.id)
    assert rotated["changes"] == {
        "secret": {"from": "…", "to": "…"},
        "private_key": {"from": None, "to": "…"},
        "public_key": {"from": None, "to": "whpk_1"},
    }
    assert (deleted["action"], deleted["changes"]) == ("deleted", {})
    assert "sealed" not in str([deleted, rotated, created])


async def test_what_nobody_asked_for_is_ours(ledger: Ledger) -> None:
    row = await subscribed(ledger)
    await owe(ledger, row.id)
    (parcel,) = (await claimed(ledger)).rows
    gone = Settlement(parcel.id, parcel.lease, Attempt(NOW, 5, 410, "status", "no"), "dead", disable="it is gone")
    await ledger.write(settling.settle, [gone])
    newest = (await told(ledger, row.id))[0]
    assert (newest["actor"], newest["changes"]["enabled"]) == ("postback", {"from": True, "to": False})
    assert newest["changes"]["disabled_reason"] == {"from": None, "to": "it is gone"}


async def test_a_change_that_changes_nothing_is_none(ledger: Ledger) -> None:
    row = await subscribed(ledger)
    await ledger.write(subscribers.change, row.id, {"url": row.url}, ANN)
    assert [one["action"] for one in await told(ledger, row.id)] == ["created"]
