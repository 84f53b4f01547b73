import asyncio
from itertools import pairwise

import pytest
from builders import LEASE, NOW, FakeClock, ended, pending, queued, rows

from ledger import pace, polls, submissions
from ledger.clock import HOUR, SECOND
from ledger.job import Job
from ledger.ledger import Ledger
from ledger.pace import HORIZON, MAX_SLOWDOWN, Limit, Slots
from ledger.polls import Asked, Budget
from ledger.schema import paces
from ledger.submitted import Settlement

pytestmark = pytest.mark.anyio

KEY = "submit:dashscope:flux-schnell"


async def reserve(ledger: Ledger, wanted: int = 1, rate: float = 10, key: str = KEY) -> Slots:
    return await ledger.write(pace.reserve, key, rate, wanted)


async def throttle(ledger: Ledger, retry_after: float | None = None, key: str = KEY) -> None:
    await ledger.write(pace.throttled, key, retry_after)


async def slowdown(ledger: Ledger, key: str = KEY) -> float:
    return next(row.slowdown for row in await rows(ledger, paces) if row.key == key)


async def gaps(ledger: Ledger, clock: FakeClock, count: int) -> list[int]:
    """The pauses between so many slots, each taken when the one before is free."""
    taken: list[int] = []
    while len(taken) <= count:
        slots = await reserve(ledger)
        taken += slots.times
        clock.now = slots.next_at
    return [after - before for before, after in pairwise(taken)]


async def test_slots_are_even_and_only_so_far_ahead(ledger: Ledger, clock: FakeClock) -> None:
    assert await reserve(ledger, 9) == Slots((NOW, NOW + 100, NOW + 200), NOW + 300)
    assert await reserve(ledger, 9) == Slots((), NOW + 300)
    clock.now = NOW + 300 - HORIZON
    assert await reserve(ledger, 9) == Slots((NOW + 300,), NOW + 400)


async def test_a_pause_saves_nothing_up(ledger: Ledger, clock: FakeClock) -> None:
    await reserve(ledger)
    clock.advance(HOUR)
    assert (await reserve(ledger, 1_000)).times == (clock(), clock() + 100, clock() + 200)


async def test_without_a_rate_there_is_no_waiting(ledger: Ledger) -> None:
    assert await reserve(ledger, 3, rate=0) == Slots((NOW,) * 3, NOW)


async def test_each_throttling_answer_halves_the_pace(ledger: Ledger, clock: FakeClock) -> None:
    await throttle(ledger)
    assert await slowdown(ledger) == 2
    await throttle(ledger)
    assert await slowdown(ledger) == 4
    assert await gaps(ledger, clock, 1) == [400]


async def test_use_restores_the_pace_and_no_more_than_that(ledger: Ledger, clock: FakeClock) -> None:
    await throttle(ledger)
    expected = [200, 180, 162, 146, 131, 118, 106, 100]
    assert await gaps(ledger, clock, 8) == pytest.approx(expected, abs=1.5)  # slots begin at whole milliseconds
    assert await slowdown(ledger) == 1


async def test_a_pace_that_is_not_used_stays_lowered(ledger: Ledger, clock: FakeClock) -> None:
    await throttle(ledger)
    clock.advance(24 * HOUR)
    assert await slowdown(ledger) == 2


async def test_a_provider_that_always_throttles_is_still_tried(ledger: Ledger, clock: FakeClock) -> None:
    for _ in range(20):
        await throttle(ledger)
    assert await slowdown(ledger) == MAX_SLOWDOWN
    assert await gaps(ledger, clock, 1) == [100 * int(MAX_SLOWDOWN)]


async def test_retry_after_stops_the_pace_so_long(ledger: Ledger, clock: FakeClock) -> None:
    await reserve(ledger)
    await throttle(ledger, 45)
    assert await reserve(ledger) == Slots((), NOW + 45 * SECOND)
    clock.now = NOW + 45 * SECOND
    assert (await reserve(ledger)).times == (clock(),)


async def test_retry_after_never_hastens_and_is_believed_for_an_hour(ledger: Ledger) -> None:
    await throttle(ledger, 60)
    await throttle(ledger, 1)
    assert (await reserve(ledger)).next_at == NOW + 60 * SECOND
    await throttle(ledger, 1e9)
    assert (await reserve(ledger)).next_at == NOW + HOUR


async def test_paces_are_apart(ledger: Ledger) -> None:
    await throttle(ledger, 60)
    other = "submit:dashscope:flux-dev"
    assert (await reserve(ledger, key=other)).times == (NOW,)
    assert await slowdown(ledger, other) == 1


async def test_two_processes_share_a_pace_and_what_lowered_it(pair: tuple[Ledger, Ledger], clock: FakeClock) -> None:
    await throttle(pair[0])
    taken = await asyncio.gather(*(reserve(ledger) for ledger in pair))
    assert sorted(time - NOW for slots in taken for time in slots.times) == [0, 200]
    await throttle(pair[1], 30)
    assert [await reserve(ledger) for ledger in pair] == [Slots((), NOW + 30 * SECOND)] * 2


async def test_two_processes_that_are_throttled_at_once_both_count(pair: tuple[Ledger, Ledger]) -> None:
    await asyncio.gather(*(throttle(ledger) for ledger in pair * 2))
    assert await slowdown(pair[0]) == 16


async def claimed(ledger: Ledger, limit: Limit) -> list[submissions.Claimed]:
    return list((await ledger.write(submissions.claim, {"dashscope": limit}, LEASE)).jobs)


def put_back(one: submissions.Claimed, retry_after: float | None = None) -> Settlement:
    given = {"due_at": NOW + HOUR, "pace": one.pace, "throttled": True, "retry_after": retry_after}
    return Settlement(one.job.id, one.job.lease, "put_back", **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(("per_model", "others"), [(True, [NOW]), (False, [])])
async def test_a_throttled_submission_stops_its_model_or_its_account(
    ledger: Ledger, per_model: bool, others: list[int]
) -> None:
    limit = Limit(2, per_model=per_model)
    await queued(ledger)
    (one,) = await claimed(ledger, limit)
    assert await ended(ledger, put_back(one, retry_after=30)) == [True]
    await queued(ledger)
    assert await claimed(ledger, limit) == []
    await queued(ledger, model="flux-dev")
    assert [one.send_at for one in await claimed(ledger, limit)] == others


async def test_one_wave_of_throttled_submissions_lowers_the_pace_once(ledger: Ledger) -> None:
    for _ in range(3):
        await queued(ledger)
    wave = await claimed(ledger, Limit(10))
    assert await ended(ledger, *(put_back(one) for one in wave)) == [True] * 3
    assert await slowdown(ledger) == 2


async def asked_about(ledger: Ledger, job: Job, clock: FakeClock) -> Job:
    clock.now = max(clock(), job.due_at or 0)
    claim = await ledger.write(polls.claim, {"dashscope": Budget(20)}, LEASE)
    return next(one.job for one in claim.jobs if one.job.id == job.id)


async def test_a_throttled_question_stops_all_questions_to_that_provider(ledger: Ledger, clock: FakeClock) -> None:
    job = await asked_about(ledger, await pending(ledger), clock)
    answer = Asked(job.id, job.lease, clock() + 30 * SECOND, throttled=True, retry_after=30.0)
    assert await ledger.write(polls.settle, [answer]) == [True]
    await pending(ledger, provider="acedata")
    await pending(ledger)
    clock.advance(SECOND)
    budgets = {"dashscope": Budget(20), "acedata": Budget(20)}
    claim = await ledger.write(polls.claim, budgets, LEASE)
    assert [one.job.provider for one in claim.jobs] == ["acedata"]
    assert await slowdown(ledger, polls.pace_of("dashscope")) == 2


async def test_throttling_counts_even_where_the_job_has_moved_on(ledger: Ledger, clock: FakeClock) -> None:
    job = await asked_about(ledger, await pending(ledger), clock)
    stale = Asked(job.id, job.lease - 1, clock(), throttled=True)
    assert await ledger.write(polls.settle, [stale]) == [False]
    assert await slowdown(ledger, polls.pace_of("dashscope")) == 2
