from typing import Any

import pytest
from builders import NOW, FakeClock, done, rows, subscribed
from sqlalchemy import Row

from ledger import subscribers
from ledger.clock import HOUR
from ledger.errors import NotFound
from ledger.events import DEFAULT_EVENTS
from ledger.keys import SecretKeys
from ledger.ledger import Ledger
from ledger.schema import deliveries
from ledger.schema import subscribers as table
from ledger.subscribers import live_secrets

pytestmark = pytest.mark.anyio

KEYS = SecretKeys(["a key of sixteen and more"])


async def rotate(ledger: Ledger, subscriber_id: str, sealed: str, grace: int) -> Row[Any]:
    return await ledger.write(subscribers.rotate, subscriber_id, {"sealed_secret": sealed}, grace)


async def test_a_subscriber_is_shown_without_its_secrets(ledger: Ledger) -> None:
    row = await subscribed(
        ledger, sealed_secret=KEYS.encrypt("whsec_1"), sealed_headers=KEYS.encrypt("{}"), header_names=["x-key"],
        metadata={"team": "灯塔"}, description="the shop", rate_limit=2.5,
    )  # fmt: skip
    assert subscribers.document(await ledger.read(subscribers.get, row.id)) == {
        "id": row.id,
        "url": "https://subscriber.example/hook",
        "events": list(DEFAULT_EVENTS),
        "description": "the shop",
        "headers": ["x-key"],
        "metadata": {"team": "灯塔"},
        "enabled": True,
        "disabled_reason": None,
        "max_in_flight": 10,
        "rate_limit": 2.5,
        "filter": None,
        "payload": "full",
        "schedule": None,
        "signature": "v1",
        "public_key": None,
        "created_at": "2023-11-14T22:13:20.000Z",
    }


async def test_no_secret_is_readable_in_the_table(ledger: Ledger) -> None:
    row = await subscribed(ledger, sealed_secret=KEYS.encrypt("whsec_first"))
    await rotate(ledger, row.id, KEYS.encrypt("whsec_second"), HOUR)
    assert "whsec_" not in str(await rows(ledger, table))


async def test_a_rotated_secret_signs_through_its_grace_period(ledger: Ledger, clock: FakeClock) -> None:
    row = await subscribed(ledger, sealed_secret=KEYS.encrypt("one"))
    assert live_secrets(row, KEYS, NOW) == ["one"]
    await rotate(ledger, row.id, KEYS.encrypt("two"), 2 * HOUR)
    clock.advance(HOUR)
    row = await rotate(ledger, row.id, KEYS.encrypt("three"), 3 * HOUR)
    assert live_secrets(row, KEYS, clock()) == ["three", "one", "two"]
    assert live_secrets(row, KEYS, NOW + 2 * HOUR) == ["three", "two"]
    assert live_secrets(row, KEYS, NOW + 4 * HOUR) == ["three"]
    clock.advance(2 * HOUR)
    row = await rotate(ledger, row.id, KEYS.encrypt("four"), HOUR)
    assert live_secrets(row, KEYS, clock()) == ["four", "two", "three"]
    assert len(row.old_secrets) == 2


async def test_without_grace_every_older_secret_ends_at_once(ledger: Ledger) -> None:
    row = await subscribed(ledger, sealed_secret=KEYS.encrypt("one"))
    await rotate(ledger, row.id, KEYS.encrypt("two"), HOUR)
    row = await rotate(ledger, row.id, KEYS.encrypt("three"), 0)
    assert live_secrets(row, KEYS, NOW) == ["three"]
    assert row.old_secrets == []


async def test_both_kinds_of_secrets_sign_and_rotate_together(ledger: Ledger) -> None:
    private = {"sealed_private_key": KEYS.encrypt("whsk_1"), "public_key": "whpk_1"}
    row = await subscribed(ledger, sealed_secret=KEYS.encrypt("whsec_1"), **private)
    fresh = {"sealed_secret": KEYS.encrypt("whsec_2"), "sealed_private_key": KEYS.encrypt("whsk_2")}
    row = await ledger.write(subscribers.rotate, row.id, {**fresh, "public_key": "whpk_2"}, HOUR)
    assert live_secrets(row, KEYS, NOW) == ["whsec_2", "whsk_2", "whsec_1", "whsk_1"]
    assert live_secrets(row, KEYS, NOW + HOUR) == ["whsec_2", "whsk_2"]
    assert subscribers.document(row)["public_key"] == "whpk_2"


async def test_secrets_outlive_a_change_of_the_secret_keys(ledger: Ledger) -> None:
    row = await subscribed(ledger, sealed_secret=KEYS.encrypt("one"))
    newer = SecretKeys(["a key of sixteen and more", "another of sixteen and more"])
    row = await rotate(ledger, row.id, newer.encrypt("two"), HOUR)
    assert live_secrets(row, newer, NOW) == ["two", "one"]


async def test_a_deleted_subscriber_is_forgotten_with_its_secrets(ledger: Ledger) -> None:
    row = await subscribed(ledger, sealed_secret="secret", sealed_headers="headers")
    await rotate(ledger, row.id, "secret2", HOUR)
    await done(ledger)
    await ledger.write(subscribers.delete, row.id)
    for call in (ledger.read(subscribers.get, row.id), ledger.write(subscribers.delete, row.id)):
        with pytest.raises(NotFound, match=row.id):
            await call
    (kept,) = await rows(ledger, table)
    assert (kept.sealed_secret, kept.sealed_headers, kept.old_secrets) == ("", None, [])
    (owed,) = await rows(ledger, deliveries)
    assert (owed.status, owed.last_error) == ("skipped", "the subscriber was deleted")
    await done(ledger)
    assert len(await rows(ledger, deliveries)) == 1
    assert (await ledger.read(subscribers.find, cursor=None, limit=50)).data == []


async def test_disabling_skips_what_is_owed_and_enabling_clears_the_reason(ledger: Ledger) -> None:
    row = await subscribed(ledger)
    await done(ledger)
    off = {"enabled": False, "disabled_reason": "it answered 410"}
    assert (await ledger.write(subscribers.change, row.id, off)).disabled_reason == "it answered 410"
    assert [one.status for one in await rows(ledger, deliveries)] == ["skipped"]
    after = await ledger.write(subscribers.change, row.id, {"enabled": True, "url": "https://new.example"})
    assert (after.enabled, after.disabled_reason, after.url) == (True, None, "https://new.example")
    assert await ledger.write(subscribers.change, row.id, {}) == after
    assert [one.status for one in await rows(ledger, deliveries)] == ["skipped"]


async def test_subscribers_are_listed_newest_first(ledger: Ledger) -> None:
    made = [(await subscribed(ledger)).id for _ in range(3)]
    page = await ledger.read(subscribers.find, cursor=None, limit=2)
    rest = await ledger.read(subscribers.find, cursor=page.next_cursor, limit=2)
    assert [row.id for row in [*page.data, *rest.data]] == made[::-1]


async def test_only_so_many_old_secrets_sign(ledger: Ledger) -> None:
    row = await subscribed(ledger, sealed_secret=KEYS.encrypt("0"))
    for number in range(1, 30):
        row = await rotate(ledger, row.id, KEYS.encrypt(str(number)), HOUR)
    secrets = live_secrets(row, KEYS, NOW)
    assert secrets == ["29", *(str(number) for number in range(21, 29))]
