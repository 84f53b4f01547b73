import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from builders import (
    DEADLINE,
    NOW,
    FakeClock,
    calls_back,
    done,
    pending,
    queued,
    rows,
    submitting,
    subscribed,
    succeeded,
    taken,
    unconfirmed,
)  # fmt: skip

from ledger import jobs, reconciling
from ledger.clock import MINUTE, SECOND
from ledger.job import Job
from ledger.ledger import Ledger
from ledger.reconciling import AFTER, BEFORE, MAX_CLAIM
from ledger.schema import deliveries, history, notifications
from ledger.submitted import FIRST_LOOK
from providers.protocol import JobStatus, Listed

pytestmark = pytest.mark.anyio


def listed(task_id: str = "task-9", at: int = NOW, model: str | None = "flux-schnell") -> Listed:
    return Listed(task_id, JobStatus.PENDING, "PENDING", model, at)


async def claim(ledger: Ledger) -> tuple[list[Job], int | None]:
    return await ledger.write(reconciling.claim, ["dashscope"])


async def adopt(ledger: Ledger, job: Job, *found: Listed) -> bool:
    return await ledger.write(reconciling.adopt, job.id, found, DEADLINE)


async def lines(ledger: Ledger, job: Job) -> list[str]:
    return [row.type for row in await rows(ledger, history) if row.job_id == job.id]


async def test_only_unconfirmed_jobs_of_those_providers_are_looked_for_and_not_at_once(
    ledger: Ledger, clock: FakeClock
) -> None:
    job = await unconfirmed(ledger)
    await unconfirmed(ledger, provider="acedata")
    for other in (queued, pending, submitting):
        await other(ledger)
    assert await claim(ledger) == ([], NOW + FIRST_LOOK)
    clock.advance(FIRST_LOOK)
    found, next_due = await claim(ledger)
    assert [one.id for one in found] == [job.id]
    assert next_due == clock() + 3 * SECOND
    assert (await claim(ledger))[0] == []


async def test_nobody_to_look_for(ledger: Ledger) -> None:
    assert await claim(ledger) == ([], None)
    assert await ledger.write(reconciling.claim, []) == ([], None)


async def test_looks_become_rarer_and_end_with_a_line(ledger: Ledger, clock: FakeClock) -> None:
    job = await unconfirmed(ledger)
    looks: list[int] = []
    while (next_due := (await claim(ledger))[1]) is not None:
        clock.now = next_due
        looks.append((clock() - NOW) // SECOND)
        assert await lines(ledger, job) == ["unconfirmed"]
        await claim(ledger)
        assert await adopt(ledger, job) is False
    assert looks == [2, 5, 10, 20, 40, 70, 190, 790]
    assert await lines(ledger, job) == ["unconfirmed", "not_found"]
    clock.advance(24 * 60 * MINUTE)
    assert await claim(ledger) == ([], None)
    now = await ledger.read(jobs.get, job.id)
    assert (now.status, now.due_at) == ("unconfirmed", None)
    assert await calls_back(ledger, job, succeeded()) == ["accepted"]


async def test_the_last_look_may_still_find_it(ledger: Ledger, clock: FakeClock) -> None:
    job = await unconfirmed(ledger)
    for _ in range(8):
        clock.now = (await claim(ledger))[1] or clock()
        await claim(ledger)
    assert await adopt(ledger, job, listed()) is True
    assert await lines(ledger, job) == ["unconfirmed", "adopted"]


async def test_more_than_one_claim_takes_are_looked_for_at_once(ledger: Ledger, clock: FakeClock) -> None:
    for _ in range(MAX_CLAIM + 1):
        await unconfirmed(ledger)
    clock.advance(FIRST_LOOK)
    found, next_due = await claim(ledger)
    assert (len(found), next_due) == (MAX_CLAIM, clock())
    assert len((await claim(ledger))[0]) == 1


async def test_an_adopted_job_is_as_if_its_answer_had_come(ledger: Ledger, clock: FakeClock) -> None:
    await subscribed(ledger, events=["job.submitted"])
    job = await unconfirmed(ledger)
    clock.advance(FIRST_LOOK)
    assert await adopt(ledger, job, listed(at=NOW + SECOND)) is True
    now = await ledger.read(jobs.get, job.id)
    assert (now.status, now.task_id, now.error, now.submitted_at) == ("pending", "task-9", None, job.sent_at)
    assert (now.due_at, now.woken, now.deadline_at) == (clock(), True, NOW + DEADLINE)
    assert [warning.split(":")[0] for warning in now.warnings] == ["adopted"]
    assert "task-9" in now.warnings[0]
    assert await lines(ledger, job) == ["unconfirmed", "adopted"]
    assert [row.type for row in await rows(ledger, deliveries)] == ["job.submitted"]
    assert await adopt(ledger, job, listed()) is False


async def test_adopting_tells_nobody_who_did_not_ask(ledger: Ledger) -> None:
    await subscribed(ledger)
    job = await unconfirmed(ledger)
    assert await adopt(ledger, job, listed())
    assert [row.type for row in await rows(ledger, notifications)] == ["job.unconfirmed"]


NOT_ITS_OWN: dict[str, Sequence[Listed]] = {
    "nothing": (),
    "two that could be": (listed("task-8"), listed("task-9", NOW + SECOND)),
    "of another model": (listed(model="flux-dev"),),
    "of a model that the list does not say": (listed(model=None),),
    "made too early": (listed(at=NOW - BEFORE - 1),),
    "made too late": (listed(at=NOW + AFTER + 1),),
}


@pytest.mark.parametrize("found", NOT_ITS_OWN.values(), ids=NOT_ITS_OWN)
async def test_where_there_is_doubt_nothing_is_adopted(ledger: Ledger, found: Sequence[Listed]) -> None:
    job = await unconfirmed(ledger)
    assert await adopt(ledger, job, *found) is False
    assert await ledger.read(jobs.get, job.id) == job


FITTING: dict[str, Sequence[Listed]] = {
    "at the window's beginning": (listed(at=NOW - BEFORE),),
    "at the window's end": (listed(at=NOW + AFTER),),
    "listed on two pages": (listed(), listed()),
    "beside those of others": (
        listed(),
        listed("task-8", model="flux-dev"),
        listed("task-7", NOW + MINUTE),
        listed("task-6", model=None),
    ),
}


@pytest.mark.parametrize("found", FITTING.values(), ids=FITTING)
async def test_where_there_is_no_doubt_it_is_adopted(ledger: Ledger, found: Sequence[Listed]) -> None:
    job = await unconfirmed(ledger)
    assert await adopt(ledger, job, *found) is True
    assert (await ledger.read(jobs.get, job.id)).task_id == "task-9"


@pytest.mark.parametrize("make", [pending, done])
async def test_a_task_that_a_job_holds_or_held_is_no_candidate(ledger: Ledger, make: Any) -> None:
    await make(ledger)  # as task-1
    job = await unconfirmed(ledger)
    assert await adopt(ledger, job, listed("task-1")) is False
    assert await adopt(ledger, job, listed("task-1"), listed("task-9")) is True


@pytest.mark.parametrize("make", [submitting, unconfirmed])
async def test_a_rival_whose_own_task_it_might_be_stands_in_the_way(ledger: Ledger, make: Any) -> None:
    job = await unconfirmed(ledger)
    await make(ledger)
    assert await adopt(ledger, job, listed()) is False


async def test_neither_of_two_rivals_is_adopted_until_one_is_resolved(ledger: Ledger) -> None:
    job, rival = await unconfirmed(ledger), await unconfirmed(ledger)
    both = listed("task-8"), listed("task-9")
    assert [await adopt(ledger, one, *both) for one in (job, rival)] == [False, False]
    assert await calls_back(ledger, rival, succeeded(task_id="task-8")) == ["accepted"]
    assert await adopt(ledger, job, *both) is True
    assert (await ledger.read(jobs.get, job.id)).task_id == "task-9"


async def test_a_rival_that_was_answered_holds_its_task(ledger: Ledger) -> None:
    job, rival = await unconfirmed(ledger), await submitting(ledger)
    assert await taken(ledger, rival, "task-8")
    assert await adopt(ledger, job, listed("task-8"), listed("task-9")) is True


@pytest.mark.parametrize(
    "changes", [{"model": "flux-dev"}, {"provider": "acedata"}], ids=["of another model", "of another provider"]
)
async def test_others_are_no_rivals(ledger: Ledger, changes: dict[str, str]) -> None:
    job = await unconfirmed(ledger)
    await unconfirmed(ledger, **changes)
    assert await adopt(ledger, job, listed()) is True


async def test_who_was_sent_at_another_time_is_no_rival(ledger: Ledger, clock: FakeClock) -> None:
    await unconfirmed(ledger)
    clock.advance(BEFORE + AFTER + 1)
    job = await unconfirmed(ledger)
    clock.advance(BEFORE + AFTER + 1)
    await unconfirmed(ledger)
    assert await adopt(ledger, job, listed(at=job.sent_at or 0)) is True


async def test_a_result_that_was_faster_stands(ledger: Ledger) -> None:
    job = await unconfirmed(ledger)
    assert await calls_back(ledger, job, succeeded()) == ["accepted"]
    before = await ledger.read(jobs.get, job.id)
    assert await adopt(ledger, job, listed()) is False
    assert await ledger.read(jobs.get, job.id) == before


async def test_a_job_that_is_gone_is_passed_over(ledger: Ledger) -> None:
    assert await ledger.write(reconciling.adopt, "job_gone", [listed()], DEADLINE) is False


async def test_two_processes_look_for_a_job_once_and_adopt_it_once(
    pair: tuple[Ledger, Ledger], clock: FakeClock
) -> None:
    job = await unconfirmed(pair[0])
    clock.advance(FIRST_LOOK)
    claims = await asyncio.gather(*(claim(ledger) for ledger in pair * 2))
    assert sum(len(found) for found, _ in claims) == 1
    assert sum(await asyncio.gather(*(adopt(ledger, job, listed()) for ledger in pair * 2))) == 1
    assert await lines(pair[0], job) == ["unconfirmed", "adopted"]
