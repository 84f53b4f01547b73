"""One subscriber that hangs, fails or asks for less never delays the others, and is itself left alone for a while."""

import asyncio
from typing import Any

import pytest
from builders import LEASE, NOW, FakeClock, claimed, done, execute, owe, rows, subscribed
from sqlalchemy import insert, update

from ledger import lanes, queues, settling, subscribers
from ledger.clock import MINUTE, SECOND
from ledger.deliveries import Attempt
from ledger.lane import FIRST_SPACING, SUSPECT, Circuit, Lane
from ledger.ledger import Ledger
from ledger.one_offs import Target
from ledger.parcels import CATCH_UP, SOON, Claim
from ledger.schema import deliveries
from ledger.schema import lanes as lane_table
from ledger.settling import Settlement

pytestmark = pytest.mark.anyio

CIRCUIT = Circuit(failures=3, cooldown=30 * SECOND)


async def settle(ledger: Ledger, claim: Claim, status_code: int | None, pause: int = 0) -> None:
    """Ends all attempts of a claim in the same way; what failed is due again at once."""
    now = ledger.clock()
    good = status_code is not None and status_code < 300
    attempt = Attempt(now, 5, status_code, None if good else "status" if status_code else "timeout", "no")
    ends: dict[str, Any] = {"status": "delivered"} if good else {"status": "pending", "due_at": now}
    settlements = [Settlement(row.id, row.lease, attempt, pause=pause, **ends) for row in claim.rows]
    assert all(await ledger.write(settling.settle, settlements, CIRCUIT))


async def lane_of(ledger: Ledger, key: str) -> Lane:
    return (await ledger.read(lanes.get, [key]))[key]


async def change(ledger: Ledger, key: str, **changes: Any) -> None:
    await execute(ledger, update(lane_table).where(lane_table.c.key == key).values(**changes))


async def test_an_open_circuit_is_left_alone_and_then_probed_one_at_a_time(ledger: Ledger, clock: FakeClock) -> None:
    subscriber = await subscribed(ledger)
    await owe(ledger, subscriber.id, 9)
    await settle(ledger, await claimed(ledger, limit=3), None)
    assert (await lane_of(ledger, subscriber.id)).state == "open"
    nothing = await claimed(ledger)
    assert (nothing.rows, nothing.next_due) == ([], NOW + CIRCUIT.cooldown)

    clock.advance(CIRCUIT.cooldown)
    probe = await claimed(ledger)
    assert len(probe.rows) == 1
    assert (await claimed(ledger)).rows == []
    await settle(ledger, probe, 500)
    assert (await claimed(ledger)).next_due == clock() + CIRCUIT.cooldown

    clock.advance(CIRCUIT.cooldown)
    await settle(ledger, await claimed(ledger), 200)
    assert await lane_of(ledger, subscriber.id) == Lane(subscriber.id)
    assert len((await claimed(ledger)).rows) == 8


async def test_a_probe_whose_process_died_is_followed_by_another(ledger: Ledger, clock: FakeClock) -> None:
    subscriber = await subscribed(ledger)
    await owe(ledger, subscriber.id, 3)
    await change(ledger, subscriber.id, failures=3, probing=True)
    assert len((await claimed(ledger)).rows) == 1
    clock.advance(LEASE)
    assert len((await claimed(ledger)).rows) == 1


async def test_subscribers_that_hang_hold_few_attempts_each(ledger: Ledger) -> None:
    for _ in range(4):
        stuck = await subscribed(ledger)
        await owe(ledger, stuck.id, 20)
        await change(ledger, stuck.id, failures=SUSPECT, failing_since=NOW)
    well = await subscribed(ledger)
    await owe(ledger, well.id, 5)
    got = [row.subscriber_id for row in (await claimed(ledger, limit=64)).rows]
    assert len(got) == 4 * 2 + 5
    assert got.count(well.id) == 5


async def test_who_answers_429_is_slowed_down_as_a_whole(ledger: Ledger, clock: FakeClock) -> None:
    subscriber, other = await subscribed(ledger), await subscribed(ledger)
    await owe(ledger, subscriber.id, 30)
    first = await claimed(ledger, limit=2)
    await settle(ledger, first, 429, pause=2 * SECOND)
    await owe(ledger, other.id, 5)
    got = await claimed(ledger)
    assert [row.subscriber_id for row in got.rows] == [other.id] * 5
    assert got.next_due == NOW + 2 * SECOND

    clock.advance(2 * SECOND)
    assert len((await claimed(ledger)).rows) == 2  # one, and one for the time that went by
    assert (await claimed(ledger)).rows == []
    clock.advance(int(FIRST_SPACING))
    got = await claimed(ledger)
    assert len(got.rows) == 1
    assert got.next_due == clock() + FIRST_SPACING


async def test_a_rate_limit_holds_over_any_second(ledger: Ledger, clock: FakeClock) -> None:
    subscriber = await subscribed(ledger, rate_limit=20, max_in_flight=1_000)
    await owe(ledger, subscriber.id, 300)
    sent: list[int] = []
    while clock() < NOW + 10 * SECOND:
        got = await claimed(ledger)
        sent += [clock()] * len(got.rows)
        assert got.next_due is not None
        clock.advance(max(7, got.next_due - clock()))
    assert 195 <= len(sent) <= 203
    most = max(sum(start <= at < start + SECOND for at in sent) for start in sent)
    assert most <= 20 + CATCH_UP * 20 // SECOND + 1


async def test_a_limit_is_shared_by_all_processes(pair: tuple[Ledger, Ledger]) -> None:
    subscriber = await subscribed(pair[0], rate_limit=1)
    await owe(pair[0], subscriber.id, 20)
    claims = await asyncio.gather(*(claimed(ledger) for ledger in pair * 4))
    assert sum(len(claim.rows) for claim in claims) == 1


async def test_what_another_process_is_claiming_is_looked_at_again_soon(pair: tuple[Ledger, Ledger]) -> None:
    subscriber = await subscribed(pair[0])
    await owe(pair[0], subscriber.id, 20)
    claims = await asyncio.gather(*(claimed(ledger, limit=1) for ledger in pair * 4))
    assert {claim.next_due for claim in claims if not claim.rows} <= {NOW + SOON, None}


async def test_a_failure_of_one_is_not_counted_for_another(ledger: Ledger) -> None:
    one, two = await subscribed(ledger), await subscribed(ledger)
    await owe(ledger, one.id, 4)
    await settle(ledger, await claimed(ledger), 500)
    await owe(ledger, two.id, 4)
    await settle(ledger, await claimed(ledger), 200)
    assert await lane_of(ledger, two.id) == Lane(two.id)
    assert (await lane_of(ledger, one.id)).failures == 4


async def test_two_processes_lose_no_failure(pair: tuple[Ledger, Ledger]) -> None:
    subscriber = await subscribed(pair[0], max_in_flight=40)
    await owe(pair[0], subscriber.id, 40)
    rows = (await claimed(pair[0])).rows
    failed = Attempt(NOW, 5, 500, "status", "no")
    ends = [Settlement(row.id, row.lease, failed, "pending", due_at=NOW + MINUTE) for row in rows]
    halves = ends[:20], ends[20:]
    never = Circuit(failures=1_000)
    await asyncio.gather(
        *(ledger.write(settling.settle, half, never) for ledger, half in zip(pair, halves, strict=True))
    )
    assert (await lane_of(pair[0], subscriber.id)).failures == 40


async def test_a_lane_that_an_older_version_did_not_make_is_made(ledger: Ledger) -> None:
    subscriber = await subscribed(ledger)
    (sent,) = await owe(ledger, subscriber.id)
    await execute(ledger, update(deliveries).where(deliveries.c.id == sent).values(lane=""))
    assert (await claimed(ledger)).rows == []
    assert [row.id for row in (await claimed(ledger)).rows] == [sent]


async def test_what_was_written_while_its_subscriber_was_disabled_is_skipped_visibly(ledger: Ledger) -> None:
    subscriber = await subscribed(ledger)
    await owe(ledger, subscriber.id)
    (made,) = await rows(ledger, deliveries)
    await settle(ledger, await claimed(ledger), 200)
    await ledger.write(subscribers.change, subscriber.id, {"enabled": False})
    await execute(ledger, insert(deliveries).values(**{**made._asdict(), "id": "dlv_late"}))
    assert (await claimed(ledger)).rows == []
    late = next(row for row in await rows(ledger, deliveries) if row.id == "dlv_late")
    assert (late.status, late.due_at, late.last_error) == ("skipped", None, "the subscriber is disabled")


async def test_lanes_are_found_by_what_is_open(ledger: Ledger, clock: FakeClock) -> None:
    made = [await subscribed(ledger) for _ in range(4)]
    for subscriber in made[:3]:
        await owe(ledger, subscriber.id, 3)
        clock.advance(1)
    waiting = [(queue.key, queue.due) for queue in await ledger.read(queues.waiting)]
    assert waiting == [(subscriber.id, NOW + i) for i, subscriber in enumerate(made[:3])]


async def test_a_one_off_that_is_gone_does_not_slow_the_others_of_its_host(ledger: Ledger) -> None:
    host = "https://app.example:443"
    for i in range(6):
        target = Target(f"https://app.example/{i}", "sealed")
        await done(ledger, notify=target)
    claim = await claimed(ledger)
    assert {row.lane for row in claim.rows} == {host}
    gone = Attempt(NOW, 5, 410, "status", "no")
    ends = [Settlement(row.id, row.lease, gone, "dead", disable="it answered 410 Gone") for row in claim.rows]
    assert all(await ledger.write(settling.settle, ends, CIRCUIT))
    assert await lane_of(ledger, host) == Lane(host)


async def test_a_one_off_takes_along_what_it_is_owed_when_its_url_moves(ledger: Ledger) -> None:
    job = await done(ledger, notify=Target("https://old.example/hook", "sealed"))
    assert job.notify_id is not None
    await ledger.write(subscribers.change, job.notify_id, {"url": "https://new.example/hook"})
    assert [row.lane for row in await rows(ledger, deliveries)] == ["https://new.example:443"]
    await ledger.write(subscribers.change, job.notify_id, {"url": "http://b.example/hook", "enabled": False})
    assert [(row.lane, row.status) for row in await rows(ledger, deliveries)] == [
        ("https://new.example:443", "skipped")
    ]


def test_one_host_is_one_lane_however_it_is_written() -> None:
    for url in ("https://h.example/a", "https://H.example:443/b?c", "https://h.example./"):
        assert lanes.key_of("sub_1", url, "job_1") == "https://h.example:443"
    assert lanes.key_of("sub_1", "http://h.example", "job_1") == "http://h.example:80"
    assert lanes.key_of("sub_1", "https://h.example", None) == "sub_1"
