import asyncio

import pytest
from builders import (
    LEASE,
    NOW,
    FakeClock,
    calls_back,
    failed,
    pending,
    queued,
    rows,
    subscribed,
    succeeded,
    unconfirmed,
    unfinished,
)  # fmt: skip

from ledger import jobs, polls
from ledger.job import Job
from ledger.ledger import Ledger
from ledger.polls import MAX_CLAIM, Asked, Budget, Claim
from ledger.schema import deliveries, history, notifications
from providers.protocol import JobStatus, Reading

pytestmark = pytest.mark.anyio

FREELY = {"dashscope": Budget(0)}


async def claim(ledger: Ledger, rate: float = 0) -> Claim:
    return await ledger.write(polls.claim, {"dashscope": Budget(rate)}, LEASE)


async def due(ledger: Ledger, clock: FakeClock) -> Job:
    """A job that was claimed to be asked about."""
    await pending(ledger)
    clock.advance(1_000)
    (one,) = (await claim(ledger)).jobs
    return one.job


async def settle(ledger: Ledger, *asked: Asked) -> list[bool]:
    return await ledger.write(polls.settle, asked)


async def test_only_watched_jobs_that_are_due_are_claimed(ledger: Ledger, clock: FakeClock) -> None:
    job = await pending(ledger)
    await unconfirmed(ledger)
    await queued(ledger)
    await pending(ledger, provider="acedata")
    assert await claim(ledger) == Claim((), NOW + 1_000)
    clock.advance(1_000)
    (one,) = (await claim(ledger)).jobs
    assert (one.job.id, one.ask_at, one.job.lease) == (job.id, clock(), job.lease + 1)
    assert one.job.due_at == clock() + LEASE
    assert (await claim(ledger)).jobs == ()
    clock.advance(LEASE)
    assert [again.job.lease for again in (await claim(ledger)).jobs] == [job.lease + 2]


async def test_questions_are_evenly_spaced_oldest_due_first(ledger: Ledger, clock: FakeClock) -> None:
    made = [(await pending(ledger)).id for _ in range(9)]
    clock.advance(1_000)
    first = await claim(ledger, rate=20)
    assert [one.ask_at - clock() for one in first.jobs] == [0, 50, 100, 150, 200, 250]
    assert {one.job.id for one in first.jobs} < set(made)
    assert first.next_due == clock() + 300
    clock.advance(300)
    assert len((await claim(ledger, rate=20)).jobs) == 3


async def test_more_than_one_claim_takes_are_asked_for_again_at_once(ledger: Ledger, clock: FakeClock) -> None:
    for _ in range(MAX_CLAIM + 1):
        await pending(ledger)
    clock.advance(1_000)
    first = await claim(ledger)
    assert (len(first.jobs), first.next_due) == (MAX_CLAIM, clock())
    assert len((await claim(ledger)).jobs) == 1


async def test_two_processes_ask_about_a_job_once(pair: tuple[Ledger, Ledger], clock: FakeClock) -> None:
    made = {(await pending(pair[0])).id for _ in range(20)}
    clock.advance(1_000)
    claims = await asyncio.gather(*(ledger.write(polls.claim, FREELY, LEASE) for ledger in pair * 3))
    asked = [one.job.id for got in claims for one in got.jobs]
    assert sorted(asked) == sorted(made)


async def test_an_answer_that_tells_nothing_new_leaves_no_trace(ledger: Ledger, clock: FakeClock) -> None:
    job = await due(ledger, clock)
    same = Reading(JobStatus.PENDING, "task-1")
    assert await settle(ledger, Asked(job.id, job.lease, clock() + 5_000, same)) == [True]
    after = await ledger.read(jobs.get, job.id)
    assert (after.status, after.due_at, after.polls) == ("pending", clock() + 5_000, 1)
    assert [row.type for row in await rows(ledger, history)] == ["submitted"]
    assert await rows(ledger, notifications) == []


async def test_what_changed_is_recorded_and_told(ledger: Ledger, clock: FakeClock) -> None:
    await subscribed(ledger, events=["job.running"])
    job = await due(ledger, clock)
    assert await settle(ledger, Asked(job.id, job.lease, clock(), unfinished())) == [True]
    (one,) = (await claim(ledger)).jobs
    odd = Reading(JobStatus.RUNNING, "task-1", "SUSPENDED")
    assert await settle(ledger, Asked(job.id, one.job.lease, clock(), odd)) == [True]
    after = await ledger.read(jobs.get, job.id)
    assert (after.status, after.provider_status, after.polls) == ("running", "SUSPENDED", 2)
    assert [row.type for row in await rows(ledger, deliveries)] == ["job.running"]
    assert [(row.type, row.summary) for row in await rows(ledger, history)][1:] == [
        ("running", "asked: the provider says RUNNING"),
        ("polled", "asked: the provider says SUSPENDED"),
    ]


async def test_a_warning_is_shown_once(ledger: Ledger, clock: FakeClock) -> None:
    job = await due(ledger, clock)
    for _ in range(2):
        assert await settle(ledger, Asked(job.id, job.lease, clock(), warning="HTTP 404")) == [True]
        job = (await claim(ledger)).jobs[0].job
    assert job.warnings == ["HTTP 404"]
    assert [row.type for row in await rows(ledger, history)] == ["submitted", "warning"]


async def test_a_job_that_is_given_up_is_lost_and_told_until_the_truth_comes(ledger: Ledger, clock: FakeClock) -> None:
    await subscribed(ledger)
    job = await due(ledger, clock)
    gone = Asked(job.id, job.lease, None, lost="the provider no longer knows the job")
    assert await settle(ledger, gone) == [True]
    lost = await ledger.read(jobs.get, job.id)
    assert (lost.status, lost.due_at, lost.finished_at) == ("lost", None, clock())
    assert lost.error == {"code": "Lost", "message": "the provider no longer knows the job"}
    assert await settle(ledger, gone) == [False]
    clock.advance(5_000)
    assert await calls_back(ledger, lost, succeeded()) == ["accepted"]
    after = await ledger.read(jobs.get, job.id)
    assert (after.status, after.error, after.finished_at) == ("succeeded", None, clock())
    assert [row.type for row in await rows(ledger, deliveries)] == ["job.lost", "job.succeeded"]


async def test_an_answer_behind_its_lease_or_its_job_changes_nothing(ledger: Ledger, clock: FakeClock) -> None:
    job = await due(ledger, clock)
    assert await settle(ledger, Asked(job.id, job.lease - 1, clock(), unfinished(), lost="gone")) == [False]
    assert await ledger.read(jobs.get, job.id) == job
    await calls_back(ledger, job, failed())
    after = await ledger.read(jobs.get, job.id)
    assert await settle(
        ledger,
        Asked(job.id, job.lease, clock(), unfinished()),
        Asked(job.id, job.lease, None, lost="gone"),
        Asked("job_gone", 1, clock()),
    ) == [False, False, False]
    assert await ledger.read(jobs.get, job.id) == after


async def test_a_job_adopted_by_a_callback_is_asked_about(ledger: Ledger, clock: FakeClock) -> None:
    job = await unconfirmed(ledger)
    await calls_back(ledger, job, unfinished())
    due_at = (await ledger.read(jobs.get, job.id)).due_at
    assert due_at is not None
    clock.now = due_at
    assert [one.job.id for one in (await claim(ledger)).jobs] == [job.id]
