"""How deliveries and subscribers end: dead, disabled, skipped; and who is told of it."""

import json
from typing import Any

import pytest
from builders import NOW, FakeClock, claimed, done, execute, owe, rows, subscribed
from sqlalchemy import Row, update

from ledger import audit, deliveries, lanes, settling, subscribers
from ledger.clock import DAY, HOUR
from ledger.deliveries import Attempt
from ledger.lane import DISABLE_AFTER, WARN_AFTER, Lane
from ledger.ledger import Ledger
from ledger.schema import attempts, notifications
from ledger.schema import deliveries as table
from ledger.settling import Settlement

pytestmark = pytest.mark.anyio

FAILED = Attempt(NOW, 15, 500, "status", "the subscriber answered HTTP 500")
DELIVERED = Attempt(NOW, 15, 200)


async def end(ledger: Ledger, status: str, attempt: Attempt = FAILED, **changes: Any) -> list[bool]:
    """Ends every attempt that can be claimed now in the same way."""
    return await finish(ledger, (await claimed(ledger)).rows, status, attempt, **changes)


async def finish(ledger: Ledger, parcels: Any, status: str, attempt: Attempt = FAILED, **changes: Any) -> list[bool]:
    ends = [Settlement(row.id, row.lease, attempt, status, **changes) for row in parcels]
    return await ledger.write(settling.settle, ends)


async def told(ledger: Ledger, event: str) -> list[dict[str, Any]]:
    """The data of every notification of that type."""
    return [json.loads(row.body)["data"] for row in await rows(ledger, notifications) if row.type == event]


async def to(ledger: Ledger, subscriber: Row[Any]) -> list[str]:
    """What one subscriber is sent."""
    return [row.type for row in await rows(ledger, table) if row.subscriber_id == subscriber.id]


async def test_an_operator_is_told_of_each_delivery_given_up(ledger: Ledger) -> None:
    subscriber = await subscribed(ledger)
    job = await done(ledger)
    operator = await subscribed(ledger, events=["delivery.dead"])
    await end(ledger, "dead")
    (data,) = await told(ledger, "delivery.dead")
    (dead,) = [row for row in await rows(ledger, table) if row.subscriber_id == subscriber.id]
    assert data == deliveries.document(dead)
    assert (data["status"], data["job_id"], data["attempt_count"]) == ("dead", job.id, 1)
    assert data["last_error"] == FAILED.error
    assert await to(ledger, operator) == ["delivery.dead"]


async def test_news_that_cannot_be_told_make_no_more_news(ledger: Ledger) -> None:
    await subscribed(ledger, events=["*"])
    await subscribed(ledger, events=["*"])
    await done(ledger)
    for _ in range(5):
        await end(ledger, "dead")
    types = [row.type for row in await rows(ledger, notifications)]
    assert types == ["job.submitted", "job.succeeded"] + ["delivery.dead"] * 4


async def test_without_a_listener_nothing_is_written_down_to_be_told(ledger: Ledger) -> None:
    await subscribed(ledger)
    await done(ledger)
    await end(ledger, "dead")
    assert [row.type for row in await rows(ledger, notifications)] == ["job.succeeded"]


async def test_410_disables_and_tells(ledger: Ledger) -> None:
    subscriber, operator = await subscribed(ledger), await subscribed(ledger, events=["subscriber.disabled"])
    await owe(ledger, subscriber.id, 3)
    parcels = (await claimed(ledger, limit=1)).rows
    await finish(ledger, parcels, "dead", disable="it answered 410 Gone")
    (data,) = await told(ledger, "subscriber.disabled")
    row = await ledger.read(subscribers.get, subscriber.id)
    assert data == subscribers.document(row)
    assert (data["enabled"], data["disabled_reason"]) == (False, "it answered 410 Gone")
    assert await to(ledger, operator) == ["subscriber.disabled"]
    assert [one.status for one in await rows(ledger, table)].count("skipped") == 2


async def test_a_subscriber_that_fails_for_days_is_warned_of_and_then_disabled(
    ledger: Ledger, clock: FakeClock
) -> None:
    subscriber, operator = await subscribed(ledger), await subscribed(ledger, events=["subscriber.*"])
    await owe(ledger, subscriber.id)

    async def fail() -> None:
        assert await end(ledger, "pending", due_at=clock()) == [True]

    await fail()
    for hours in range(1, 24):
        clock.now = NOW + hours * HOUR
        await fail()
    assert await told(ledger, "subscriber.failing") == []
    clock.now = NOW + WARN_AFTER
    await fail()
    # What the operator is owed must not come due here, where every attempt fails.
    put_off = update(table).where(table.c.subscriber_id == operator.id).values(due_at=NOW + 100 * DAY)
    await execute(ledger, put_off)
    await fail()
    (warning,) = await told(ledger, "subscriber.failing")
    assert warning["id"] == subscriber.id
    assert (warning["failing_since"], warning["disabled_at"]) == (
        "2023-11-14T22:13:20.000Z",
        "2023-11-19T22:13:20.000Z",
    )
    clock.now = NOW + DISABLE_AFTER - 1
    await fail()
    assert (await ledger.read(subscribers.get, subscriber.id)).enabled
    clock.now = NOW + DISABLE_AFTER
    await fail()
    after = await ledger.read(subscribers.get, subscriber.id)
    assert not after.enabled
    assert after.disabled_reason == "every attempt has failed since 2023-11-14T22:13:20.000Z"
    assert len(await told(ledger, "subscriber.disabled")) == 1
    assert [row.status for row in await rows(ledger, table) if row.subscriber_id == subscriber.id] == ["skipped"]


async def test_one_success_in_five_days_is_enough_to_stay(ledger: Ledger, clock: FakeClock) -> None:
    subscriber = await subscribed(ledger)
    await owe(ledger, subscriber.id, 2)
    await finish(ledger, (await claimed(ledger, limit=1)).rows, "pending", due_at=NOW + 6 * DAY)
    clock.advance(4 * DAY)
    await end(ledger, "delivered", DELIVERED)
    clock.advance(2 * DAY)
    await end(ledger, "dead")
    assert (await ledger.read(subscribers.get, subscriber.id)).enabled


async def test_enabling_again_forgets_what_failed(ledger: Ledger, clock: FakeClock) -> None:
    subscriber = await subscribed(ledger)
    await owe(ledger, subscriber.id)
    await end(ledger, "pending", due_at=NOW)
    await ledger.write(subscribers.change, subscriber.id, {"enabled": False})
    clock.advance(30 * DAY)
    await ledger.write(subscribers.change, subscriber.id, {"enabled": True})
    assert await ledger.read(lanes.get, [subscriber.id]) == {subscriber.id: Lane(subscriber.id)}
    await owe(ledger, subscriber.id)
    await end(ledger, "dead")
    assert (await ledger.read(subscribers.get, subscriber.id)).enabled


async def test_an_attempt_under_way_when_its_subscriber_was_disabled_is_remembered(ledger: Ledger) -> None:
    subscriber = await subscribed(ledger)
    arrived, failed, _ = await owe(ledger, subscriber.id, 3)
    parcels = {row.id: row for row in (await claimed(ledger, limit=2)).rows}
    await ledger.write(subscribers.change, subscriber.id, {"enabled": False})
    assert await finish(ledger, [parcels[arrived]], "delivered", DELIVERED) == [True]
    assert await finish(ledger, [parcels[failed]], "pending", due_at=NOW) == [True]
    found = {row.id: (row.status, row.attempt_count, row.last_error) for row in await rows(ledger, table)}
    assert found[arrived] == ("delivered", 1, None)
    assert found[failed] == ("skipped", 1, "the subscriber is disabled")
    assert len(await rows(ledger, attempts)) == 2
    # And once only.
    assert await finish(ledger, parcels.values(), "delivered", DELIVERED) == [False, False]
    assert len(await rows(ledger, attempts)) == 2


async def test_disabling_by_hand_is_told_too_but_not_to_the_one_disabled(ledger: Ledger) -> None:
    one, two = await subscribed(ledger, events=["*"]), await subscribed(ledger, events=["*"])
    await ledger.write(subscribers.change, one.id, {"enabled": False, "disabled_reason": "disabled by hand"})
    assert await to(ledger, one) == []
    assert await to(ledger, two) == ["subscriber.disabled"]


async def test_what_was_owed_at_a_disabling_is_told_by_when_it_began(ledger: Ledger, clock: FakeClock) -> None:
    subscriber = await subscribed(ledger)
    await owe(ledger, subscriber.id)
    await end(ledger, "pending", due_at=NOW + HOUR)
    clock.advance(1_000)
    await owe(ledger, subscriber.id)
    await end(ledger, "dead", disable="it answered 410 Gone")
    newest = (await ledger.read(audit.find, subscriber.id, 1))[0]
    assert newest.changes["unsent_since"]["to"] == "2023-11-14T22:13:20.000Z"


async def test_what_a_410_was_the_answer_to_is_unsent_too(ledger: Ledger, clock: FakeClock) -> None:
    subscriber = await subscribed(ledger)
    await owe(ledger, subscriber.id)
    clock.advance(1_000)
    await end(ledger, "dead", disable="it answered 410 Gone")
    newest = (await ledger.read(audit.find, subscriber.id, 1))[0]
    assert newest.changes["unsent_since"]["to"] == "2023-11-14T22:13:20.000Z"
