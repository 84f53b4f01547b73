"""Jobs that nobody asks about, and jobs that were put off for long."""

import pytest
from builders import (
    DEADLINE,
    NOW,
    FakeClock,
    calls_back,
    execute,
    pending,
    queued,
    rows,
    subscribed,
    succeeded,
    unconfirmed,
    unfinished,
)  # fmt: skip
from sqlalchemy import update

from ledger import jobs, polls
from ledger.clock import HOUR
from ledger.job import Job
from ledger.ledger import Ledger
from ledger.polls import MAX_CLAIM, OVERDUE, UNHEARD
from ledger.schema import deliveries, history
from ledger.schema import jobs as table

pytestmark = pytest.mark.anyio


async def due_at(ledger: Ledger, job: Job, at: int) -> None:
    await execute(ledger, update(table).where(table.c.id == job.id).values(due_at=at))


async def test_jobs_are_given_up_well_past_their_deadline_and_that_is_told(ledger: Ledger, clock: FakeClock) -> None:
    await subscribed(ledger)
    waiting, begun = await pending(ledger), await pending(ledger, "task-2", provider="acedata")
    await calls_back(ledger, begun, unfinished(task_id="task-2"))
    clock.now = NOW + DEADLINE + OVERDUE - 1
    assert await ledger.write(polls.overdue) == 0
    clock.advance(1)
    assert await ledger.write(polls.overdue) == 2
    assert await ledger.write(polls.overdue) == 0
    for job in (waiting, begun):
        now = await ledger.read(jobs.get, job.id)
        assert (now.status, now.finished_at, now.due_at) == ("lost", clock(), None)
        assert now.error == {"code": "Lost", "message": "no result came before its deadline"}
    assert [row.type for row in await rows(ledger, deliveries)] == ["job.lost", "job.lost"]
    assert [row.type for row in await rows(ledger, history)][-2:] == ["lost", "lost"]
    assert await calls_back(ledger, waiting, succeeded()) == ["accepted"]


async def test_only_watched_jobs_can_be_overdue(ledger: Ledger, clock: FakeClock) -> None:
    made = [await unconfirmed(ledger), await queued(ledger)]
    clock.advance(DEADLINE + HOUR)
    assert await ledger.write(polls.overdue) == 0
    assert [await ledger.read(jobs.get, job.id) for job in made] == made


async def test_a_job_that_is_being_asked_about_is_not_given_up(ledger: Ledger, clock: FakeClock) -> None:
    job = await pending(ledger)
    clock.now = NOW + DEADLINE + OVERDUE
    await due_at(ledger, job, clock() + 1)
    assert await ledger.write(polls.overdue) == 0


async def test_many_are_given_up_in_small_steps(ledger: Ledger, clock: FakeClock) -> None:
    for number in range(MAX_CLAIM + 1):
        await pending(ledger, f"task-{number}")
    clock.now = NOW + DEADLINE + OVERDUE
    assert [await ledger.write(polls.overdue) for _ in range(3)] == [MAX_CLAIM, 1, 0]


async def test_a_start_asks_again_about_what_was_put_off_for_long(ledger: Ledger) -> None:
    long, short, other = [await pending(ledger, f"task-{number}") for number in range(3)]
    doubtful = await unconfirmed(ledger)
    await due_at(ledger, long, NOW + UNHEARD + 1)
    await due_at(ledger, short, NOW + UNHEARD)
    await ledger.write(polls.ask_again)
    assert [(await ledger.read(jobs.get, job.id)).due_at for job in (long, short, other)] == [
        NOW,
        NOW + UNHEARD,
        other.due_at,
    ]
    assert await ledger.read(jobs.get, doubtful.id) == doubtful
