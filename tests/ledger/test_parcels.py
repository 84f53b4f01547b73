import asyncio

import pytest
from builders import LEASE, NOW, FakeClock, claimed, done, owe, rows, subscribed

from ledger import deliveries, parcels, settling
from ledger.deliveries import Attempt
from ledger.ledger import Ledger
from ledger.parcels import Claim
from ledger.schema import deliveries as table
from ledger.schema import notifications
from ledger.settling import Settlement
from ledger.subscribers import change

pytestmark = pytest.mark.anyio

DELIVERED = Attempt(NOW, 5, 200)


def receivers(claim: Claim) -> list[str]:
    return [row.subscriber_id for row in claim.rows]


async def test_a_parcel_holds_all_that_an_attempt_needs(ledger: Ledger) -> None:
    subscriber = await subscribed(ledger, sealed_headers="headers")
    job = await done(ledger)
    (parcel,) = (await claimed(ledger)).rows
    (notification,) = await rows(ledger, notifications)
    assert (parcel.body, parcel.notification_id) == (notification.body, notification.id)
    assert (parcel.job_id, parcel.subscriber_id, parcel.type) == (job.id, subscriber.id, "job.succeeded")
    assert (parcel.url, parcel.sealed_secret, parcel.sealed_headers) == (subscriber.url, "sealed", "headers")
    assert (parcel.lease, parcel.attempt_count, parcel.attempts_before, parcel.due_at) == (1, 0, 0, NOW + LEASE)
    assert [row.status for row in await rows(ledger, table)] == ["delivering"]


async def test_nothing_is_claimed_before_it_is_due(ledger: Ledger, clock: FakeClock) -> None:
    assert (await claimed(ledger)).next_due is None
    await subscribed(ledger)
    await done(Ledger(ledger.database, clock=clock, first_delay=5_000))
    got = await claimed(ledger)
    assert (len(got.rows), got.next_due) == (0, NOW + 5_000)
    clock.advance(5_000)
    assert len((await claimed(ledger)).rows) == 1


async def test_an_expired_lease_is_due_again_under_a_new_one(ledger: Ledger, clock: FakeClock) -> None:
    subscriber = await subscribed(ledger)
    await owe(ledger, subscriber.id, 1)
    assert [row.lease for row in (await claimed(ledger)).rows] == [1]
    assert (await claimed(ledger)).next_due == NOW + LEASE
    clock.advance(LEASE)
    assert [row.lease for row in (await claimed(ledger)).rows] == [2]


async def test_a_dead_process_leaves_its_deliveries_due_at_once(ledger: Ledger) -> None:
    subscriber = await subscribed(ledger)
    await owe(ledger, subscriber.id, 1)
    await claimed(ledger)
    await ledger.write(deliveries.abandon)
    assert [row.lease for row in (await claimed(ledger)).rows] == [2]


async def test_a_subscriber_never_has_more_in_flight_than_it_allows(ledger: Ledger) -> None:
    subscriber = await subscribed(ledger, max_in_flight=3)
    sent = await owe(ledger, subscriber.id, 10)
    first = await claimed(ledger)
    assert {row.id for row in first.rows} < set(sent)
    assert len(first.rows) == 3
    assert (await claimed(ledger)).rows == []
    one = first.rows[0]
    await ledger.write(settling.settle, [Settlement(one.id, one.lease, DELIVERED, "delivered")])
    assert len((await claimed(ledger)).rows) == 1


async def test_two_processes_share_what_a_subscriber_allows(pair: tuple[Ledger, Ledger]) -> None:
    subscriber = await subscribed(pair[0], max_in_flight=3)
    await owe(pair[0], subscriber.id, 50)
    claims = await asyncio.gather(*(claimed(ledger) for ledger in pair * 4))
    assert sum(len(claim.rows) for claim in claims) == 3


async def test_a_long_queue_does_not_starve_another_subscriber(ledger: Ledger) -> None:
    busy, calm = await subscribed(ledger, max_in_flight=1_000), await subscribed(ledger)
    await owe(ledger, busy.id, 1_000)
    (waiting,) = await owe(ledger, calm.id, 1)
    got = await claimed(ledger, limit=10)
    assert waiting in [row.id for row in got.rows]
    assert receivers(got).count(busy.id) == 5


async def test_the_reserve_is_for_those_of_whom_nothing_is_under_way(ledger: Ledger) -> None:
    many, one, other = [await subscribed(ledger, max_in_flight=100) for _ in range(3)]
    await owe(ledger, many.id, 20)
    first = await ledger.write(parcels.claim, limit=10, lease=LEASE, reserve=4)
    assert receivers(first) == [many.id] * 6
    assert first.full
    assert not (await ledger.write(parcels.claim, limit=4, lease=LEASE, reserve=4)).rows
    for subscriber in (one, other):
        await owe(ledger, subscriber.id, 3)
    second = await ledger.write(parcels.claim, limit=4, lease=LEASE, reserve=4)
    assert sorted(receivers(second)) == sorted([one.id, other.id])
    assert second.full
    assert not (await ledger.write(parcels.claim, limit=2, lease=LEASE, reserve=4)).rows
    rest = await ledger.write(parcels.claim, limit=100, lease=LEASE, reserve=4)
    assert (len(rest.rows), rest.full) == (18, False)


async def test_subscribers_that_are_full_do_not_take_the_place_of_one_that_is_ready(ledger: Ledger) -> None:
    for _ in range(4):
        stuck = await subscribed(ledger, max_in_flight=1)
        await owe(ledger, stuck.id, 2)
    assert len((await claimed(ledger)).rows) == 4
    ready = await subscribed(ledger)
    await owe(ledger, ready.id, 3)
    assert receivers(await claimed(ledger, limit=3)) == [ready.id] * 3


async def test_more_subscribers_than_room_are_served_in_turn(ledger: Ledger, clock: FakeClock) -> None:
    made = []
    for _ in range(6):
        clock.advance(1)
        made.append((await subscribed(ledger)).id)
        await owe(ledger, made[-1], 1)
    served = [sorted(receivers(await claimed(ledger, limit=2))) for _ in range(3)]
    assert served == [made[:2], made[2:4], made[4:]]


async def test_a_disabled_subscriber_is_not_served(ledger: Ledger) -> None:
    subscriber = await subscribed(ledger)
    await owe(ledger, subscriber.id, 2)
    await ledger.write(change, subscriber.id, {"enabled": False})
    assert await claimed(ledger) == Claim([], None)
    assert {(row.status, row.last_error) for row in await rows(ledger, table)} == {
        ("skipped", "the subscriber is disabled")
    }


async def test_two_processes_never_get_the_same_delivery(pair: tuple[Ledger, Ledger]) -> None:
    sent = []
    for _ in range(5):
        subscriber = await subscribed(pair[0], max_in_flight=100)
        sent += await owe(pair[0], subscriber.id, 40)
    got: list[str] = []
    for _ in range(30):
        for claim in await asyncio.gather(*(claimed(ledger, limit=20) for ledger in pair * 2)):
            got += [row.id for row in claim.rows]
    assert sorted(got) == sorted(sent)
