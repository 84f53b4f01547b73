import json

import pytest
from builders import LEASE, NOW, FakeClock, claimed, owe, rows, subscribed

from ledger import settling, subscribers, trials
from ledger.deliveries import Attempt
from ledger.errors import NotFound, Refused
from ledger.ledger import Ledger
from ledger.schema import deliveries, notifications
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


async def test_who_is_disabled_or_gone_is_not_tried(ledger: Ledger) -> None:
    subscriber = await subscribed(ledger)
    await ledger.write(subscribers.change, subscriber.id, {"enabled": False})
    with pytest.raises(Refused, match="enable it first"):
        await ledger.write(trials.begin, subscriber.id, "postback.ping", {}, LEASE)
    with pytest.raises(NotFound):
        await ledger.write(trials.begin, "sub_gone", "postback.ping", {}, LEASE)
