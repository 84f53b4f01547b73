"""Row 42: a worker stopped past its lease that goes on changes nothing, whatever another did meanwhile.

Two workers may hold the same delivery or job one after the other; only the holder of the last lease settles it, once.
"""

import asyncio
from typing import Any

import pytest
from builders import (
    LEASE,
    NOW,
    UNLIMITED,
    FakeClock,
    arrival,
    claimed,
    done,
    ended,
    pending,
    queued,
    rows,
    subscribed,
    succeeded,
    unfinished,
)  # fmt: skip

from ledger import deliveries, jobs, polls, settling, submissions, subscribers
from ledger.accept import accept
from ledger.deliveries import Attempt
from ledger.job import Job
from ledger.ledger import Ledger
from ledger.polls import Asked, Budget
from ledger.schema import attempts, notifications, schema
from ledger.settling import Settlement
from ledger.submitted import Settlement as Sent
from providers.protocol import Fault

pytestmark = pytest.mark.anyio

GOOD = Attempt(NOW, 12, 204)
BAD = Attempt(NOW, 12, 500, "status", "HTTP 500")

STALE_DELIVERIES = {
    "delivered": (GOOD, "delivered", {}),
    "failed": (BAD, "pending", {"due_at": NOW + 1}),
    "dead": (BAD, "dead", {}),
    "gone": (BAD, "dead", {"disable": "it answered 410 Gone"}),
}
STALE_SUBMISSIONS: dict[str, dict[str, Any]] = {
    "taken": {"task_id": "task-stale", "due_at": NOW, "deadline_at": NOW + LEASE},
    "refused": {"fault": Fault("InvalidParameter", "no")},
    "put_back": {"due_at": NOW},
    "unknown": {},
}
STALE_ANSWERS: dict[str, dict[str, Any]] = {
    "not finished": {"due_at": NOW, "reading": unfinished()},
    "given up": {"due_at": None, "lost": "no result came before its deadline"},
    "refused": {"due_at": NOW, "warning": "the provider refuses to be asked"},
}


async def everything(ledger: Ledger) -> dict[str, Any]:
    """Every row of every table."""
    return {table.name: await rows(ledger, table) for table in schema.sorted_tables}


async def two_holders(ledger: Ledger, clock: FakeClock) -> tuple[Any, Any]:
    """A delivery as two workers know it: the first was stopped past its lease, the second claimed it after that."""
    await subscribed(ledger)
    await done(ledger)
    (first,) = (await claimed(ledger)).rows
    clock.advance(LEASE)
    (second,) = (await claimed(ledger)).rows
    assert (second.id, second.lease) == (first.id, first.lease + 1)
    return first, second


async def settle(ledger: Ledger, parcel: Any, stale: str) -> bool:
    attempt, status, more = STALE_DELIVERIES[stale]
    return (await ledger.write(settling.settle, [Settlement(parcel.id, parcel.lease, attempt, status, **more)]))[0]


@pytest.mark.parametrize("stale", STALE_DELIVERIES)
@pytest.mark.parametrize("meanwhile", ["holds it", "delivered", "failed", "dead", "gone", "disabled", "redelivered"])
async def test_row_42_a_stopped_worker_settles_no_delivery(
    ledger: Ledger, clock: FakeClock, meanwhile: str, stale: str
) -> None:
    first, second = await two_holders(ledger, clock)
    if meanwhile in STALE_DELIVERIES:
        assert await settle(ledger, second, meanwhile)
    if meanwhile == "disabled":
        await ledger.write(subscribers.change, second.subscriber_id, {"enabled": False})
    if meanwhile == "redelivered":
        assert await settle(ledger, second, "delivered")
        await ledger.write(deliveries.redeliver, second.id)
        assert len((await claimed(ledger)).rows) == 1
    before = await everything(ledger)
    assert await settle(ledger, first, stale) is False
    assert await everything(ledger) == before


async def test_row_42_both_workers_in_one_batch(ledger: Ledger, clock: FakeClock) -> None:
    first, second = await two_holders(ledger, clock)
    ends = [Settlement(one.id, one.lease, GOOD, "delivered") for one in (first, second, second)]
    assert await ledger.write(settling.settle, ends) == [False, True, False]
    assert len(await rows(ledger, attempts)) == 1


async def two_senders(ledger: Ledger, clock: FakeClock) -> tuple[Job, Job]:
    """A job as two submitters know it: the first was stopped before it sent."""
    await queued(ledger)
    first = (await ledger.write(submissions.claim, UNLIMITED, LEASE)).jobs[0].job
    clock.advance(LEASE)
    await ledger.write(submissions.expire)
    second = (await ledger.write(submissions.claim, UNLIMITED, LEASE)).jobs[0].job
    assert (second.id, second.lease) == (first.id, first.lease + 1)
    return first, second


@pytest.mark.parametrize("outcome", STALE_SUBMISSIONS)
@pytest.mark.parametrize("meanwhile", ["holds it", "sends it", *STALE_SUBMISSIONS, "called back"])
async def test_row_42_a_stopped_submitter_neither_sends_nor_settles(
    ledger: Ledger, clock: FakeClock, meanwhile: str, outcome: str
) -> None:
    first, second = await two_senders(ledger, clock)
    if meanwhile != "holds it":
        assert await ledger.write(submissions.start, [(second.id, second.lease)]) == [True]
    if meanwhile in STALE_SUBMISSIONS:
        other = Sent(second.id, second.lease, meanwhile, **STALE_SUBMISSIONS[meanwhile])
        assert await ended(ledger, other) == [True]
    if meanwhile == "called back":
        assert await ledger.write(accept, [arrival(second, succeeded())]) == ["accepted"]
    before = await everything(ledger)
    assert await ledger.write(submissions.start, [(first.id, first.lease)]) == [False]
    stale = Sent(first.id, first.lease, outcome, **STALE_SUBMISSIONS[outcome])
    assert await ended(ledger, stale) == [False]
    assert await everything(ledger) == before


@pytest.mark.parametrize("answer", STALE_ANSWERS)
@pytest.mark.parametrize("meanwhile", ["holds it", "settled", "called back"])
async def test_row_42_a_stopped_poller_settles_no_job(
    ledger: Ledger, clock: FakeClock, meanwhile: str, answer: str
) -> None:
    job = await pending(ledger)
    budgets = {"dashscope": Budget(0)}
    clock.advance(1_000)
    first = (await ledger.write(polls.claim, budgets, LEASE)).jobs[0].job
    clock.advance(LEASE)
    second = (await ledger.write(polls.claim, budgets, LEASE)).jobs[0].job
    assert (second.id, second.lease) == (job.id, first.lease + 1)
    if meanwhile == "settled":
        assert await ledger.write(polls.settle, [Asked(second.id, second.lease, clock() + 1)]) == [True]
    if meanwhile == "called back":
        assert await ledger.write(accept, [arrival(second, succeeded())]) == ["accepted"]
    before = await everything(ledger)
    assert await ledger.write(polls.settle, [Asked(first.id, first.lease, **STALE_ANSWERS[answer])]) == [False]
    assert await everything(ledger) == before


async def test_two_processes_settle_a_submission_once(pair: tuple[Ledger, Ledger]) -> None:
    await queued(pair[0])
    job = (await pair[0].write(submissions.claim, UNLIMITED, LEASE)).jobs[0].job
    assert await pair[0].write(submissions.start, [(job.id, job.lease)]) == [True]
    end = Sent(job.id, job.lease, "taken", **STALE_SUBMISSIONS["taken"])
    answers = await asyncio.gather(*(ended(ledger, end) for ledger in pair * 3))
    assert sorted(answers) == [[False]] * 5 + [[True]]
    assert (await pair[0].read(jobs.get, job.id)).task_id == "task-stale"


async def test_two_processes_give_a_job_up_once(pair: tuple[Ledger, Ledger], clock: FakeClock) -> None:
    await subscribed(pair[0])
    await pending(pair[0])
    clock.advance(1_000)
    job = (await pair[0].write(polls.claim, {"dashscope": Budget(0)}, LEASE)).jobs[0].job
    lost = Asked(job.id, job.lease, None, lost="the provider no longer knows the job")
    answers = await asyncio.gather(*(ledger.write(polls.settle, [lost]) for ledger in pair * 3))
    assert sorted(answers) == [[False]] * 5 + [[True]]
    assert [row.type for row in await rows(pair[0], notifications)] == ["job.lost"]


async def test_two_processes_end_a_lease_once_and_only_one_sends_again(
    pair: tuple[Ledger, Ledger], clock: FakeClock
) -> None:
    await queued(pair[0])
    first = (await pair[0].write(submissions.claim, UNLIMITED, LEASE)).jobs[0].job
    clock.advance(LEASE)
    assert sorted(await asyncio.gather(*(ledger.write(submissions.expire) for ledger in pair))) == [0, 1]
    claims = await asyncio.gather(*(ledger.write(submissions.claim, UNLIMITED, LEASE) for ledger in pair * 3))
    (second,) = [one.job for claim in claims for one in claim.jobs]
    workers = ((first.id, first.lease), (second.id, second.lease))
    starts = [ledger.write(submissions.start, [one]) for ledger, one in zip(pair, workers, strict=True)]
    assert await asyncio.gather(*starts) == [[False], [True]]
