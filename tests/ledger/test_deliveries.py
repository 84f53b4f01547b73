import asyncio
from typing import Any

import pytest
from builders import NOW, FakeClock, claimed, done, owe, rows, subscribed

from ledger import deliveries, settling, subscribers, trials
from ledger.deliveries import Attempt, Filter
from ledger.errors import NotFound, Refused
from ledger.ledger import Ledger
from ledger.schema import attempts
from ledger.schema import deliveries as table
from ledger.settling import Settlement

pytestmark = pytest.mark.anyio

DELIVERED = Attempt(
    NOW,
    12,
    200,
    response_excerpt="ok\x00",
    request_headers={"webhook-id": "ntf_1"},
    timing={"dns": 1, "connect": 2, "tls": None, "response": 9},
)
FAILED = Attempt(NOW, 15_000, 503, "status", "HTTP 503", "busy")


async def settle(ledger: Ledger, *settlements: Settlement) -> list[bool]:
    return await ledger.write(settling.settle, settlements)


async def sent(ledger: Ledger, status: str, attempt: Attempt = FAILED, **changes: Any) -> str:
    """The id of a new delivery whose one attempt left it in `status`."""
    await subscribed(ledger)
    await done(ledger)
    (parcel,) = (await claimed(ledger)).rows
    assert await settle(ledger, Settlement(parcel.id, parcel.lease, attempt, status, **changes)) == [True]
    return str(parcel.id)


async def test_a_success_is_recorded_with_its_attempt(ledger: Ledger) -> None:
    one = await sent(ledger, "delivered", DELIVERED)
    row = await ledger.read(deliveries.get, one)
    assert deliveries.document(row) == {
        "id": one,
        "notification_id": row.notification_id,
        "subscriber_id": row.subscriber_id,
        "job_id": row.job_id,
        "type": "job.succeeded",
        "status": "delivered",
        "attempt_count": 1,
        "next_attempt_at": None,
        "last_error": None,
        "created_at": "2023-11-14T22:13:20.000Z",
        "finished_at": "2023-11-14T22:13:20.000Z",
    }
    (attempt,) = await ledger.read(deliveries.attempts_of, one)
    assert deliveries.attempt_document(attempt) == {
        "id": attempt.id,
        "number": 1,
        "trigger": "schedule",
        "started_at": "2023-11-14T22:13:20.000Z",
        "duration_ms": 12,
        "status_code": 200,
        "error_class": None,
        "error": None,
        "response_excerpt": "ok\ufffd",
        "request_headers": {"webhook-id": "ntf_1"},
        "response_headers": None,
        "timing": {"dns": 1, "connect": 2, "tls": None, "response": 9},
    }


async def test_a_failure_is_due_again_with_its_error(ledger: Ledger, clock: FakeClock) -> None:
    one = await sent(ledger, "pending", due_at=NOW + 5_000)
    row = await ledger.read(deliveries.get, one)
    assert (row.status, row.due_at, row.last_error, row.finished_at) == ("pending", NOW + 5_000, "HTTP 503", None)
    assert deliveries.document(row)["next_attempt_at"] == "2023-11-14T22:13:25.000Z"
    assert (await claimed(ledger)).next_due == NOW + 5_000
    clock.advance(5_000)
    (again,) = (await claimed(ledger)).rows
    assert (again.attempt_count, again.lease) == (1, 2)


async def test_a_stale_settlement_writes_nothing(ledger: Ledger, clock: FakeClock) -> None:
    await subscribed(ledger)
    await done(ledger)
    (first,) = (await claimed(ledger)).rows
    clock.advance(60_000)
    (second,) = (await claimed(ledger)).rows
    before = await rows(ledger, table)
    stale = Settlement(first.id, first.lease, DELIVERED, "delivered")
    assert await settle(ledger, stale, Settlement("dlv_gone", 1, DELIVERED, "delivered")) == [False, False]
    assert await rows(ledger, table) == before
    assert await rows(ledger, attempts) == []
    good = Settlement(second.id, second.lease, DELIVERED, "delivered")
    assert await settle(ledger, good) == [True]
    assert await settle(ledger, good) == [False]
    assert len(await rows(ledger, attempts)) == 1


async def test_two_processes_settle_an_attempt_once(pair: tuple[Ledger, Ledger]) -> None:
    await subscribed(pair[0])
    await done(pair[0])
    (parcel,) = (await claimed(pair[0])).rows
    good = Settlement(parcel.id, parcel.lease, DELIVERED, "delivered")
    answers = await asyncio.gather(*(settle(ledger, good) for ledger in pair * 3))
    assert sorted(answers) == [[False]] * 5 + [[True]]
    assert len(await rows(pair[0], attempts)) == 1


@pytest.mark.parametrize("status", ["delivered", "dead"])
async def test_a_finished_delivery_is_sent_again_and_its_numbers_go_on(ledger: Ledger, status: str) -> None:
    one = await sent(ledger, status)
    again = await ledger.write(deliveries.redeliver, one)
    assert (again.status, again.due_at, again.attempts_before, again.finished_at) == ("pending", NOW, 1, None)
    for number in (2, 3):
        (parcel,) = (await claimed(ledger)).rows
        assert (parcel.attempt_count, parcel.attempts_before) == (number - 1, 1)
        await settle(ledger, Settlement(one, parcel.lease, FAILED, "pending", due_at=NOW))
    made = await ledger.read(deliveries.attempts_of, one)
    assert [(row.number, row.trigger) for row in made] == [(1, "schedule"), (2, "manual"), (3, "schedule")]


async def test_a_skipped_delivery_is_sent_again_once_its_subscriber_is_enabled(ledger: Ledger) -> None:
    subscriber = await subscribed(ledger)
    await ledger.write(subscribers.change, subscriber.id, {"enabled": False})
    await done(ledger)
    (skipped,) = await rows(ledger, table)
    with pytest.raises(Refused, match="disabled"):
        await ledger.write(deliveries.redeliver, skipped.id)
    await ledger.write(subscribers.change, subscriber.id, {"enabled": True})
    await ledger.write(deliveries.redeliver, skipped.id)
    assert len((await claimed(ledger)).rows) == 1


async def test_one_that_waits_for_its_next_attempt_is_sent_now_within_its_schedule(ledger: Ledger) -> None:
    one = await sent(ledger, "pending", Attempt(NOW, 5, 500, "status", "no"), due_at=NOW + 3_600_000)
    assert (await claimed(ledger)).rows == []
    with pytest.raises(Refused, match="still being sent by itself"):
        await ledger.write(deliveries.redeliver, one)
    again = await ledger.write(deliveries.redeliver, one, at_once=True)
    assert (again.status, again.due_at, again.attempt_count, again.attempts_before) == ("pending", NOW, 1, 0)
    (parcel,) = (await claimed(ledger)).rows
    await settle(ledger, Settlement(one, parcel.lease, DELIVERED, "delivered"))
    made = await ledger.read(deliveries.attempts_of, one)
    assert [(row.number, row.trigger) for row in made] == [(1, "schedule"), (2, "manual")]


async def test_what_is_being_sent_is_not_redelivered(ledger: Ledger) -> None:
    await subscribed(ledger)
    await done(ledger)
    (parcel,) = (await claimed(ledger)).rows
    with pytest.raises(Refused, match="being sent at this moment"):
        await ledger.write(deliveries.redeliver, parcel.id)


async def test_a_test_is_not_redelivered(ledger: Ledger) -> None:
    subscriber = await subscribed(ledger)
    parcel = await ledger.write(trials.begin, subscriber.id, "delivery.dead", {}, 1_000)
    await settle(ledger, Settlement(parcel.id, parcel.lease, FAILED, "dead", trial=True))
    with pytest.raises(Refused, match="send another test"):
        await ledger.write(deliveries.redeliver, parcel.id)


async def test_a_delivery_without_its_subscriber_is_not_redelivered(ledger: Ledger) -> None:
    one = await sent(ledger, "dead")
    await ledger.write(subscribers.delete, (await ledger.read(deliveries.get, one)).subscriber_id)
    with pytest.raises(Refused, match="deleted"):
        await ledger.write(deliveries.redeliver, one)
    with pytest.raises(NotFound):
        await ledger.write(deliveries.redeliver, "dlv_gone")


async def test_a_subscriber_that_wants_no_more_is_disabled_and_the_rest_skipped(ledger: Ledger) -> None:
    subscriber, other = await subscribed(ledger), await subscribed(ledger)
    for _ in range(3):
        await done(ledger)
    parcels = [row for row in (await claimed(ledger, limit=2)).rows if row.subscriber_id == subscriber.id]
    gone = Attempt(NOW, 5, 410, "status", "HTTP 410")
    one = Settlement(parcels[0].id, parcels[0].lease, gone, "dead", disable="it answered 410 Gone")
    assert await settle(ledger, one) == [True]
    after = await ledger.read(subscribers.get, subscriber.id)
    assert (after.enabled, after.disabled_reason) == (False, "it answered 410 Gone")
    made = await rows(ledger, table)
    assert sorted(row.status for row in made if row.subscriber_id == subscriber.id) == ["dead", "skipped", "skipped"]
    assert {row.status for row in made if row.subscriber_id == other.id} <= {"pending", "delivering"}


async def test_deliveries_of_what_belongs_to_no_job_are_found_too(ledger: Ledger, clock: FakeClock) -> None:
    one, two = await subscribed(ledger), await subscribed(ledger)
    await done(ledger)
    owed = [await owe(ledger, one.id, 2), await owe(ledger, two.id, 1)]
    clock.advance(1)
    owed.append(await owe(ledger, one.id, 1))
    for row in [row for row in await rows(ledger, table) if row.job_id is None]:
        wanted = Filter(notification_id=row.notification_id)
        found = (await ledger.read(deliveries.find, wanted, cursor=None, limit=50)).data
        assert [one.id for one in found] == [row.id]
        assert row.id in [id for some in owed for id in some]
    for stranger in ("ntf_01h455vb4pex5vsknk084sn02q", "ntf_", "", "nothing"):
        wanted = Filter(notification_id=stranger)
        assert (await ledger.read(deliveries.find, wanted, cursor=None, limit=50)).data == []


async def test_deliveries_are_found_by_what_they_belong_to(ledger: Ledger) -> None:
    one, two = await subscribed(ledger), await subscribed(ledger)
    job = await done(ledger)
    await done(ledger)
    (first, *_) = await rows(ledger, table)
    for wanted, count in [
        (Filter(), 4),
        (Filter(subscriber_id=one.id), 2),
        (Filter(subscriber_id=two.id, job_id=job.id), 1),
        (Filter(notification_id=first.notification_id), 2),
        (Filter(status="pending"), 4),
        (Filter(status="dead"), 0),
    ]:
        found = (await ledger.read(deliveries.find, wanted, cursor=None, limit=50)).data
        assert len(found) == count
        assert [row.id for row in found] == sorted((row.id for row in found), reverse=True)
