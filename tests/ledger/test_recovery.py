from typing import Any

import pytest
from builders import NOW, FakeClock, claimed, done, owe, pending, rows, submitting, subscribed
from sqlalchemy import Row

from ledger import ids, recovery, settling, subscribers
from ledger.clock import HOUR, SECOND
from ledger.deliveries import Attempt
from ledger.erase import erase
from ledger.errors import NotFound, Refused
from ledger.ids import Ids
from ledger.ledger import Ledger
from ledger.recovery import RECOVERABLE, Pace, Part, Window, pace_of
from ledger.schema import deliveries as table
from ledger.settling import Settlement

pytestmark = pytest.mark.anyio

FAILED = Attempt(NOW, 15_000, 500, "status", "HTTP 500")
ALL = Window(0)
PACE = Pace(NOW, 100)


async def ended(ledger: Ledger, status: str) -> None:
    """One more job whose one delivery ends so."""
    await done(ledger)
    (parcel,) = (await claimed(ledger)).rows
    await ledger.write(settling.settle, [Settlement(parcel.id, parcel.lease, FAILED, status)])


async def again(ledger: Ledger, subscriber: Row[Any], window: Window, *statuses: str, **more: Any) -> Part:
    wanted = statuses or RECOVERABLE
    return await ledger.write(recovery.again, subscriber.id, window, wanted, PACE, **more)


async def never_sent(ledger: Ledger, subscriber: Row[Any], window: Window = ALL, **more: Any) -> Part:
    return await ledger.write(recovery.never_sent, subscriber.id, window, PACE, **more)


async def test_a_window_is_sent_again_and_nothing_else(ledger: Ledger, clock: FakeClock) -> None:
    subscriber = await subscribed(ledger)
    for status in ("dead", "delivered", "dead", "dead"):
        await ended(ledger, status)
        clock.advance(1_000)
    window = Window(NOW + 1_000, NOW + 3_000)
    assert await ledger.read(recovery.count_again, subscriber.id, window, RECOVERABLE) == 1
    assert await again(ledger, subscriber, window) == Part(1, None)
    assert [row.status for row in await rows(ledger, table)] == ["dead", "delivered", "pending", "dead"]
    assert (await again(ledger, subscriber, Window(NOW), "delivered", "pending")).count == 1
    assert (await again(ledger, subscriber, Window(NOW))).count == 2
    assert await again(ledger, subscriber, Window(NOW)) == Part(0, None)
    assert {(row.trigger, row.attempts_before) for row in await rows(ledger, table)} == {("recover", 1)}


async def test_what_is_still_owed_keeps_its_schedule(ledger: Ledger) -> None:
    subscriber = await subscribed(ledger)
    await owe(ledger, subscriber.id, 3)
    await claimed(ledger, limit=1)
    before = await rows(ledger, table)
    everything = ("pending", "delivering", "delivered", "dead", "skipped")
    assert await again(ledger, subscriber, ALL, *everything) == Part(0, None)
    assert await rows(ledger, table) == before


async def test_it_is_paced_from_part_to_part(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "PART", 2)
    subscriber = await subscribed(ledger)
    for _ in range(5):
        await ended(ledger, "dead")
    first = await again(ledger, subscriber, ALL)
    second = await again(ledger, subscriber, ALL, done=2, after=first.after)
    third = await again(ledger, subscriber, ALL, done=4, after=second.after)
    assert [part.count for part in (first, second, third)] == [2, 2, 1]
    assert third.after is None
    assert [row.due_at for row in await rows(ledger, table)] == [NOW + 100 * i for i in range(5)]


@pytest.mark.parametrize(
    ("limit", "asked", "interval"), [(None, None, 100), (2.0, None, 500), (None, 4.0, 250), (2.0, 50.0, 500)]
)
async def test_the_slower_of_what_is_asked_and_what_is_allowed(
    ledger: Ledger, limit: float | None, asked: float | None, interval: float
) -> None:
    subscriber = await subscribed(ledger, rate_limit=limit)
    assert pace_of(subscriber, NOW, asked) == Pace(NOW, interval)


async def test_who_is_disabled_or_gone_recovers_nothing(ledger: Ledger) -> None:
    subscriber = await subscribed(ledger)
    await ledger.write(subscribers.change, subscriber.id, {"enabled": False})
    for call in (again(ledger, subscriber, ALL), never_sent(ledger, subscriber)):
        with pytest.raises(Refused, match="enable it first"):
            await call
    await ledger.write(subscribers.delete, subscriber.id)
    for call in (again(ledger, subscriber, ALL), never_sent(ledger, subscriber)):
        with pytest.raises(NotFound):
            await call


async def test_who_came_later_gets_what_it_never_got(ledger: Ledger, clock: FakeClock) -> None:
    old = await subscribed(ledger)
    jobs = []
    for _ in range(3):
        jobs.append(await done(ledger))
        clock.advance(SECOND)
    late = await subscribed(ledger)
    jobs.append(await done(ledger))
    window = Window(NOW + SECOND)
    assert await ledger.read(recovery.count_never_sent, late.id, window) == Part(2, None)
    assert await never_sent(ledger, late, window) == Part(2, None)
    mine = [row for row in await rows(ledger, table) if row.subscriber_id == late.id]
    assert [(row.job_id, row.trigger) for row in mine] == [
        (jobs[3].id, "schedule"), (jobs[1].id, "recover"), (jobs[2].id, "recover"),
    ]  # fmt: skip
    assert [row.due_at for row in mine[1:]] == [NOW, NOW + 100]
    # Twice gives nothing twice, and nobody else gets anything.
    assert await never_sent(ledger, late, window) == Part(0, None)
    assert sum(row.subscriber_id == old.id for row in await rows(ledger, table)) == 4


async def test_only_what_it_wants_now_is_made_up_for(ledger: Ledger) -> None:
    await subscribed(ledger, events=["*"])
    await done(ledger, metadata={"tenant": "acme"})
    await done(ledger, metadata={"tenant": "other"})
    await submitting(ledger)
    late = await subscribed(ledger, events=["job.succeeded"], filter={"metadata": {"tenant": "acme"}})
    assert (await never_sent(ledger, late)).count == 1
    await ledger.write(subscribers.change, late.id, {"filter": None, "events": ["job.*"]})
    assert (await never_sent(ledger, late)).count == 3  # the other job's end, and both submissions


async def test_nothing_is_made_up_for_that_named_others(ledger: Ledger) -> None:
    named = await subscribed(ledger)
    await done(ledger, subscribers=[named.id])
    late = await subscribed(ledger, events=["*"])
    assert (await never_sent(ledger, late)).count == 0


async def test_news_for_operators_and_tests_are_not_made_up_for(ledger: Ledger) -> None:
    subscriber = await subscribed(ledger)
    await owe(ledger, subscriber.id, 2)
    late = await subscribed(ledger, events=["*"])
    assert (await never_sent(ledger, late)).count == 0


async def test_missing_ones_are_found_part_by_part(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "PART", 2)
    for _ in range(5):
        await done(ledger)
    late = await subscribed(ledger)
    found, after, parts = 0, None, 0
    while parts == 0 or after is not None:
        part = await never_sent(ledger, late, done=found, after=after)
        found, after, parts = found + part.count, part.after, parts + 1
    assert (found, parts) == (5, 3)
    assert [row.due_at for row in await rows(ledger, table)] == [NOW + 100 * i for i in range(5)]


async def test_ids_that_ran_ahead_of_a_clock_set_back_are_in_their_window(ledger: Ledger, clock: FakeClock) -> None:
    subscriber = await subscribed(ledger)
    await ended(ledger, "dead")
    clock.now = NOW - HOUR
    await ended(ledger, "dead")
    earlier = Window(NOW - HOUR, NOW)
    assert await ledger.read(recovery.count_again, subscriber.id, earlier, RECOVERABLE) == 1
    assert await again(ledger, subscriber, Window(NOW)) == Part(1, None)


def test_a_first_id_sorts_before_all_of_its_time_and_after_all_before() -> None:
    made = Ids()
    before, at = made.new("dlv", NOW - 1), made.new("dlv", NOW)
    assert before < ids.first("dlv", NOW) < at
    assert ids.first("dlv", -5) == ids.first("dlv", 0)


async def test_a_job_that_was_erased_is_not_made_up_for(ledger: Ledger) -> None:
    job = await done(ledger)
    await pending(ledger)
    await ledger.write(erase, job.id)
    assert (await never_sent(ledger, await subscribed(ledger))).count == 0
