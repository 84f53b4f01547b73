import json
from typing import Any

import pytest
from builders import LEASE, NOW, FakeClock, claimed, execute, owe, rows, subscribed
from sqlalchemy import Row, update

from ledger import lanes, recovery, settling, subscribers, trials
from ledger.deliveries import Attempt
from ledger.errors import NotFound
from ledger.lane import Lane
from ledger.ledger import Ledger
from ledger.recovery import RECOVERABLE, Window
from ledger.schema import deliveries, notifications
from ledger.schema import lanes as lane_table
from ledger.settling import Settlement

pytestmark = pytest.mark.anyio


async def test_a_trial_goes_ahead_of_all_that_waits(ledger: Ledger) -> None:
    subscriber = await subscribed(ledger, events=["job.lost"], max_in_flight=1, payload="thin")
    await owe(ledger, subscriber.id, 5)
    await claimed(ledger)
    data = {"subscriber_id": subscriber.id}
    parcel = await ledger.write(trials.begin, subscriber.id, "postback.ping", data, LEASE)
    assert (parcel.type, parcel.payload, parcel.attempt_count) == ("postback.ping", "thin", 0)
    assert json.loads(parcel.body)["data"] == data
    assert parcel.id not in [row.id for row in (await claimed(ledger)).rows]
    ended = Settlement(parcel.id, parcel.lease, Attempt(NOW, 5, 200), "delivered")
    assert await ledger.write(settling.settle, [ended]) == [True]
    made = {row.id: row.status for row in await rows(ledger, deliveries)}
    assert made[parcel.id] == "delivered"


async def test_a_trial_that_fails_is_dead_and_tells_nobody(ledger: Ledger) -> None:
    subscriber, _ = await subscribed(ledger), await subscribed(ledger, events=["*"])
    parcel = await ledger.write(trials.begin, subscriber.id, "job.failed", {}, LEASE)
    failed = Settlement(parcel.id, parcel.lease, Attempt(NOW, 5, 500, "status", "no"), "dead")
    assert await ledger.write(settling.settle, [failed]) == [True]
    assert [row.type for row in await rows(ledger, notifications)] == ["job.failed"]


async def test_a_trial_whose_process_died_is_sent_by_the_forwarder(ledger: Ledger, clock: FakeClock) -> None:
    subscriber = await subscribed(ledger)
    parcel = await ledger.write(trials.begin, subscriber.id, "postback.ping", {}, LEASE)
    clock.advance(LEASE)
    assert [(row.id, row.lease) for row in (await claimed(ledger)).rows] == [(parcel.id, 2)]


async def test_a_disabled_subscriber_is_tried_before_it_is_enabled(ledger: Ledger) -> None:
    subscriber = await subscribed(ledger)
    await ledger.write(subscribers.change, subscriber.id, {"enabled": False})
    parcel = await ledger.write(trials.begin, subscriber.id, "postback.ping", {}, LEASE)
    assert await end(ledger, parcel, "delivered", Attempt(NOW, 5, 200)) == [True]
    (made,) = await rows(ledger, deliveries)
    assert (made.status, made.last_error) == ("delivered", None)


async def test_a_trial_that_fails_stops_nothing(ledger: Ledger) -> None:
    subscriber = await subscribed(ledger)
    for status_code in (410, 429, 500, 503) * 20:
        parcel = await ledger.write(trials.begin, subscriber.id, "postback.ping", {}, LEASE)
        failed = Attempt(NOW, 5, status_code, "status", "no")
        assert await end(ledger, parcel, "dead", failed, pause=86_400_000) == [True]
    assert (await ledger.read(lanes.get, [subscriber.id]))[subscriber.id] == Lane(subscriber.id)
    assert (await ledger.read(subscribers.get, subscriber.id)).enabled


async def test_a_trial_that_arrives_ends_a_pause_and_closes_the_circuit(ledger: Ledger, clock: FakeClock) -> None:
    subscriber = await subscribed(ledger)
    stuck = {"failures": 60, "failing_since": NOW, "probing": True, "slowed_at": NOW, "paused_until": NOW + 86_400_000}
    await execute(ledger, update(lane_table).values(**stuck))
    clock.advance(1)
    parcel = await ledger.write(trials.begin, subscriber.id, "postback.ping", {}, LEASE)
    await end(ledger, parcel, "delivered", Attempt(clock(), 5, 200))
    lane = (await ledger.read(lanes.get, [subscriber.id]))[subscriber.id]
    assert (lane.state, lane.paused_until, lane.failures) == ("healthy", None, 0)


async def test_trials_are_not_recovered_whatever_they_tell(ledger: Ledger) -> None:
    subscriber = await subscribed(ledger)
    for event in ("postback.ping", "job.failed", "delivery.dead", "subscriber.disabled"):
        parcel = await ledger.write(trials.begin, subscriber.id, event, {}, LEASE)
        await end(ledger, parcel, "dead", Attempt(NOW, 5, 500, "status", "no"))
    assert await ledger.read(recovery.count_again, subscriber.id, Window(0), RECOVERABLE) == 0


async def end(ledger: Ledger, parcel: Row[Any], status: str, attempt: Attempt, **more: Any) -> list[bool]:
    settlement = Settlement(parcel.id, parcel.lease, attempt, status, trial=True, **more)
    return await ledger.write(settling.settle, [settlement])


async def test_who_is_gone_is_not_tried(ledger: Ledger) -> None:
    with pytest.raises(NotFound):
        await ledger.write(trials.begin, "sub_gone", "postback.ping", {}, LEASE)
