"""How a subscriber has been doing lately, at a bounded cost."""

from typing import Any

import pytest
from builders import NOW, claimed, done, owe, subscribed
from sqlalchemy import Connection

from ledger import health, settling
from ledger import subscribers as nouns
from ledger.clock import SECOND
from ledger.deliveries import Attempt
from ledger.health import Lately, Reason
from ledger.ledger import Ledger
from ledger.overview import Count
from ledger.settling import Settlement

from .test_plans import plans

pytestmark = pytest.mark.anyio

OK = Attempt(NOW, 12, 200)
BUSY = Attempt(NOW + 1, 5, 503, "status", "busy")
GONE = Attempt(NOW + 2, 5, None, "connect", "refused")


async def settled(ledger: Ledger, *endings: tuple[str, Attempt]) -> list[str]:
    """The ids of what was due and is tried, oldest first, each with its ending; `pending` is due again in a minute."""
    rows = sorted((await claimed(ledger)).rows, key=lambda row: row.id)  # a claim has no order
    later = ledger.clock() + 60 * SECOND
    settlements = [
        Settlement(row.id, row.lease, attempt, status, later if status == "pending" else None)
        for row, (status, attempt) in zip(rows, endings, strict=True)
    ]
    assert all(await ledger.write(settling.settle, settlements))
    return [row.id for row in rows]


async def test_what_waits_is_counted_to_a_limit(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = await subscribed(ledger), await subscribed(ledger)
    await owe(ledger, one.id, 3)
    await owe(ledger, other.id, 1)
    await claimed(ledger, 1)
    assert await ledger.read(health.waiting, one) == Count(3)
    monkeypatch.setattr(health, "MOST", 2)
    assert await ledger.read(health.waiting, one) == Count(2, True)
    await ledger.write(nouns.change, other.id, {"enabled": False})
    assert await ledger.read(health.waiting, other) == Count(0)


async def test_what_a_one_off_waits_for_is_counted_without_its_neighbours(ledger: Ledger) -> None:
    job = await done(ledger)
    one, other = [await subscribed(ledger, url="https://host.example/1", job_id=job.id) for _ in range(2)]
    await owe(ledger, one.id, 2)
    await owe(ledger, other.id, 1)
    assert await ledger.read(health.waiting, one) == Count(2)


async def test_how_the_newest_are(ledger: Ledger) -> None:
    row = await subscribed(ledger)
    assert await ledger.read(health.lately, row.id) == Lately({}, None, False)
    await owe(ledger, row.id, 4)
    await settled(ledger, ("delivered", OK), ("dead", GONE), ("pending", BUSY), ("delivered", OK))
    await owe(ledger, row.id, 1)
    states = {"delivered": 2, "dead": 1, "pending": 2}
    assert await ledger.read(health.lately, row.id) == Lately(states, ledger.clock(), False)
    assert await ledger.read(health.lately, row.id, 1) == Lately({"pending": 1}, ledger.clock(), True)


async def test_failures_are_grouped_by_reason(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    row, other = await subscribed(ledger), await subscribed(ledger)
    assert await ledger.read(health.failures, row.id) == []
    await owe(ledger, row.id, 4)
    ids = await settled(ledger, ("dead", BUSY), ("dead", GONE), ("pending", BUSY), ("delivered", OK))
    await owe(ledger, other.id, 1)
    await settled(ledger, ("dead", GONE))
    busy, gone = await ledger.read(health.failures, row.id)
    assert busy == Reason("status", 503, 2, "busy", BUSY.started_at, busy.delivery_id)
    assert busy.delivery_id in (ids[0], ids[2])
    assert gone == Reason("connect", None, 1, "refused", GONE.started_at, ids[1])
    monkeypatch.setattr(health, "LOOKED_AT", 1)
    assert await ledger.read(health.failures, row.id) == []


async def test_it_costs_what_is_looked_at(sqlite_url: str) -> None:
    def look(connection: Connection, moment: Any) -> None:
        row = nouns.find(connection, cursor=None, limit=1).data[0]
        health.waiting(connection, row)
        health.lately(connection, row.id)
        health.failures(connection, row.id)

    plan = await plans(sqlite_url, (look, (), {}))
    assert "deliveries_open" in plan
    assert "deliveries_by_subscriber" in plan
    assert "attempts_by_delivery" in plan
    assert not [step for step in ("SCAN deliveries", "SCAN attempts") if step in plan], plan
