"""What waking does in the ledger, on each kind of database, while the poller works on the same jobs."""

from collections.abc import AsyncIterator

import pytest
from builders import LEASE, NOW, FakeClock, done, pending, queued, submitting, unconfirmed, unfinished

from ledger import jobs, polls, pushes
from ledger.clock import MINUTE
from ledger.job import Job
from ledger.ledger import Ledger, open_database
from ledger.polls import Asked, Budget

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def ledger(anyio_backend: str, migrated: None, database_url: str, clock: FakeClock) -> AsyncIterator[Ledger]:
    database = await open_database(database_url)
    opened = Ledger(database, clock=clock)
    yield opened
    await opened.close()


async def wake(ledger: Ledger, *task_ids: str, provider: str = "dashscope") -> int:
    return await ledger.write(pushes.wake, provider, task_ids or ["task-1"])


async def claim(ledger: Ledger, *, swept: bool = False) -> list[Job]:
    found = await ledger.write(polls.claim, {"dashscope": Budget(0, swept=swept)}, LEASE)
    return [one.job for one in found.jobs]


async def settle(ledger: Ledger, job: Job, wait: int = 1_000) -> bool:
    """What the poller records after it was told that a job is not finished."""
    asked = Asked(job.id, job.lease, ledger.clock() + wait, unfinished())
    return (await ledger.write(polls.settle, [asked]))[0]


async def now(ledger: Ledger, job: Job) -> Job:
    return await ledger.read(jobs.get, job.id)


async def test_only_watched_jobs_of_that_provider_are_woken(ledger: Ledger) -> None:
    watched = [await pending(ledger, task_id="a"), await pending(ledger, task_id="b")]
    others = [
        await pending(ledger, task_id="c"),
        await pending(ledger, task_id="a", provider="acedata"),
        await done(ledger),
        await unconfirmed(ledger),
        await submitting(ledger),
        await queued(ledger),
    ]
    assert await wake(ledger, "a", "b", "task-1", "nobody's") == 2
    assert [(await now(ledger, job)).due_at for job in watched] == [NOW, NOW]
    assert [await now(ledger, job) for job in others] == others
    assert {job.task_id for job in await claim(ledger)} == {"a", "b"}
    assert await wake(ledger) == 0


async def test_nothing_to_wake(ledger: Ledger) -> None:
    assert await ledger.write(pushes.wake, "dashscope", []) == 0


async def test_a_job_is_woken_once_until_it_was_asked_about(ledger: Ledger, clock: FakeClock) -> None:
    job = await pending(ledger)
    assert [await wake(ledger), await wake(ledger)] == [1, 0]
    (claimed,) = await claim(ledger)
    clock.advance(10_000)
    assert await wake(ledger) == 0, "somebody is asking"
    assert await claim(ledger) == []
    assert await settle(ledger, claimed)
    assert (await now(ledger, job)).woken is False
    assert await wake(ledger) == 1, "it was asked too early"


async def test_an_answer_from_before_the_push_does_not_put_the_job_off(ledger: Ledger, clock: FakeClock) -> None:
    job = await pending(ledger)
    clock.advance(1_000)
    (claimed,) = await claim(ledger)
    assert await wake(ledger) == 1
    assert not await settle(ledger, claimed, wait=10 * MINUTE)
    assert (await now(ledger, job)).due_at == clock()
    (again,) = await claim(ledger)
    assert again.id == job.id


async def test_a_job_that_the_list_will_tell_of_is_woken_too(ledger: Ledger, clock: FakeClock) -> None:
    job = await pending(ledger)
    clock.advance(1_000)
    assert await claim(ledger, swept=True) == []
    put_off = await now(ledger, job)
    assert (put_off.woken, put_off.due_at) == (True, clock() + polls.UNHEARD)
    assert await wake(ledger) == 1
    assert [one.id for one in await claim(ledger, swept=True)] == [job.id]
