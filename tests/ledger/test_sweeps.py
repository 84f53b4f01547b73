import pytest
from builders import (
    DEADLINE,
    LEASE,
    NOW,
    FakeClock,
    calls_back,
    done,
    pending,
    rows,
    subscribed,
    succeeded,
    unconfirmed,
    unfinished,
)  # fmt: skip

from ledger import jobs, polls, sweeps
from ledger.clock import SECOND
from ledger.job import Job
from ledger.ledger import Ledger
from ledger.pace import HORIZON
from ledger.polls import UNHEARD, Asked, Budget, Claim
from ledger.schema import deliveries, history, notifications
from ledger.sweeps import Watched
from providers.protocol import JobStatus, Listed

pytestmark = pytest.mark.anyio


def row(task_id: str, status: JobStatus = JobStatus.SUCCEEDED) -> Listed:
    return Listed(task_id, status, status.value.upper(), "flux-schnell", NOW)


async def listed(ledger: Ledger, *page: Listed) -> int:
    return await ledger.write(sweeps.listed, "dashscope", page)


async def claim(ledger: Ledger, *, swept: bool = True) -> Claim:
    return await ledger.write(polls.claim, {"dashscope": Budget(0, swept=swept)}, LEASE)


async def waiting(ledger: Ledger, clock: FakeClock, task_id: str = "task-1") -> Job:
    """A job that was due and waits for its provider's list."""
    job = await pending(ledger, task_id)
    clock.advance(SECOND)
    assert (await claim(ledger)).jobs == ()
    return await ledger.read(jobs.get, job.id)


async def test_what_there_is_to_sweep(ledger: Ledger, clock: FakeClock) -> None:
    assert await ledger.read(sweeps.watched, "dashscope") == Watched(0, None)
    await pending(ledger)
    clock.advance(SECOND)
    begun = await pending(ledger, "task-2")
    await calls_back(ledger, begun, unfinished(task_id="task-2"))
    await done(ledger)
    await unconfirmed(ledger)
    await pending(ledger, provider="acedata")
    assert await ledger.read(sweeps.watched, "dashscope") == Watched(2, NOW)


async def test_while_the_list_is_read_jobs_wait_for_it(ledger: Ledger, clock: FakeClock) -> None:
    job = await waiting(ledger, clock)
    assert (job.due_at, job.woken) == (clock() + UNHEARD, True)
    clock.advance(UNHEARD - 1)
    assert (await claim(ledger)).jobs == ()
    clock.advance(1)
    assert [one.job.id for one in (await claim(ledger)).jobs] == [job.id]  # nothing was heard for too long


@pytest.mark.parametrize("status", [JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELED])
async def test_a_finished_row_is_worth_asking_about_at_once(
    ledger: Ledger, clock: FakeClock, status: JobStatus
) -> None:
    job = await waiting(ledger, clock)
    assert await listed(ledger, row("task-1", status)) == 1
    assert [one.job.id for one in (await claim(ledger)).jobs] == [job.id]
    assert (await ledger.read(jobs.get, job.id)).status == "pending"  # only its result moves it


async def test_a_running_row_is_told_to_those_who_asked_once(ledger: Ledger, clock: FakeClock) -> None:
    await subscribed(ledger, events=["job.running"])
    job = await waiting(ledger, clock)
    for _ in range(2):
        assert await listed(ledger, row("task-1", JobStatus.RUNNING)) == 0
    now = await ledger.read(jobs.get, job.id)
    assert (now.status, now.provider_status, now.due_at) == ("running", "RUNNING", clock() + UNHEARD)
    assert [one.type for one in await rows(ledger, deliveries)] == ["job.running"]
    assert [one.summary for one in await rows(ledger, history)][1:] == ["listed: the provider says RUNNING"]
    assert (await claim(ledger)).jobs == ()


async def test_being_heard_of_puts_a_question_off(ledger: Ledger, clock: FakeClock) -> None:
    job = await waiting(ledger, clock)
    clock.advance(UNHEARD - SECOND)
    await listed(ledger, row("task-1", JobStatus.PENDING))
    assert (await ledger.read(jobs.get, job.id)).due_at == clock() + UNHEARD
    assert await rows(ledger, notifications) == []


async def test_nobody_is_put_off_past_the_deadline(ledger: Ledger, clock: FakeClock) -> None:
    job = await waiting(ledger, clock)
    clock.now = NOW + DEADLINE - 1
    await listed(ledger, row("task-1", JobStatus.PENDING))
    assert (await ledger.read(jobs.get, job.id)).due_at == NOW + DEADLINE


async def test_foreign_rows_and_rows_of_finished_jobs_are_passed_over(ledger: Ledger) -> None:
    finished = await done(ledger)
    other = await pending(ledger, "task-2", provider="acedata")
    doubtful = await unconfirmed(ledger)
    found = [row("task-1", JobStatus.RUNNING), row("task-2"), row("not-ours"), row("nor-this", JobStatus.RUNNING)]
    assert await listed(ledger, *found) == 0
    for job in (finished, other, doubtful):
        assert await ledger.read(jobs.get, job.id) == job


async def test_an_empty_page(ledger: Ledger) -> None:
    assert await listed(ledger) == 0


async def test_running_after_the_result_changes_nothing(ledger: Ledger) -> None:
    job = await pending(ledger)
    await calls_back(ledger, job, succeeded())
    before = await ledger.read(jobs.get, job.id)
    assert await listed(ledger, row("task-1", JobStatus.RUNNING)) == 0
    assert await ledger.read(jobs.get, job.id) == before


async def test_when_the_list_is_left_all_who_waited_for_it_are_due(ledger: Ledger, clock: FakeClock) -> None:
    made = [await waiting(ledger, clock, f"task-{number}") for number in range(3)]
    await listed(ledger, row("task-1", JobStatus.RUNNING))
    await ledger.write(sweeps.release, "dashscope")
    claims = await claim(ledger, swept=False)
    assert {one.job.id for one in claims.jobs} == {job.id for job in made}


async def test_leaving_the_list_hurries_nobody_who_waits_for_something_else(ledger: Ledger, clock: FakeClock) -> None:
    job = await pending(ledger)
    other = await pending(ledger, provider="acedata")
    clock.advance(SECOND)
    (one,) = (await claim(ledger, swept=False)).jobs
    assert await ledger.write(polls.settle, [Asked(job.id, one.job.lease, clock() + 45_000)]) == [True]
    await ledger.write(sweeps.release, "dashscope")
    assert (await ledger.read(jobs.get, job.id)).due_at == clock() + 45_000
    assert await ledger.read(jobs.get, other.id) == other


async def test_pages_take_their_slots_among_the_questions(ledger: Ledger, clock: FakeClock) -> None:
    taken = [await ledger.write(sweeps.slot, "dashscope", 20) for _ in range(8)]
    assert [[time - NOW for time in slots.times] for slots in taken] == [
        [0],
        [50],
        [100],
        [150],
        [200],
        [250],
        [300],
        [],
    ]
    assert taken[-1].next_at == NOW + 350
    for number in range(3):
        await pending(ledger, f"task-{number}")
    clock.advance(SECOND)
    await ledger.write(sweeps.slot, "dashscope", 20)
    claimed = await ledger.write(polls.claim, {"dashscope": Budget(20)}, LEASE)
    assert [one.ask_at - clock() for one in claimed.jobs] == [50, 100, 150]
    assert max(one.ask_at for one in claimed.jobs) <= clock() + HORIZON
