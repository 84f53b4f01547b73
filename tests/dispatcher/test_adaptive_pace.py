"""A throttling answer lowers the pace, use restores it; and what is known survives a database that is away."""

from collections.abc import AsyncIterator
from itertools import pairwise

import httpx2 as httpx
import pytest
from builders import pending

from dispatcher.canceler import cancel
from dispatcher.submitter import LEASE
from ledger import submissions, sweeps
from ledger.clock import HOUR, SECOND
from ledger.errors import Unavailable
from ledger.ledger import Ledger, open_database
from ledger.pace import Limit
from ledger.schema import schema

from .account import Account, gaps
from .broken import Broken
from .stage import DEADLINE, Stage
from .virtual import Time
from .wire import Step, says, task

pytestmark = pytest.mark.anyio

SLOW = says(429, {"code": "Throttling.RateQuota", "message": "slow"})
LIMITS = {"dashscope": Limit(2)}


def for_how_long(seconds: int) -> Step:
    return says(429, {"code": "Throttling", "message": "slow"}, retry_after=str(seconds))


async def submit_for(stage: Stage, seconds: int) -> None:
    submitter = stage.submitter(limits=LIMITS)
    await stage.crew.run(submitter.run_once, until=stage.time.now + seconds * SECOND)


async def test_submissions_slow_down_and_recover_with_use(stage: Stage) -> None:
    account = Account(stage.time)
    stage.dashscope.submits = [SLOW, SLOW, account.takes]
    for _ in range(30):
        await stage.job()
    await submit_for(stage, 60)
    pauses = gaps(stage.dashscope.times["submit"])
    assert max(pauses[:4]) >= 1_000
    recovering = pauses[pauses.index(max(pauses)) :]
    assert all(later <= earlier + 1 for earlier, later in pairwise(recovering))
    assert recovering[-1] == 500
    assert len(stage.dashscope.submitted) == 32


async def test_retry_after_stops_its_model_and_no_other(stage: Stage) -> None:
    account, start = Account(stage.time), stage.time.now
    stage.dashscope.submits = [for_how_long(30), account.takes]
    for model in ("flux-schnell", "flux-schnell", "flux-schnell"):
        await stage.job(model=model)
    await submit_for(stage, 5)
    sent = len(stage.dashscope.submitted)
    assert sent <= 2  # one may have had its slot already
    await stage.job(model="flux-dev")
    await submit_for(stage, 5)
    assert len(stage.dashscope.submitted) == sent + 1
    await submit_for(stage, 30)
    assert len(stage.dashscope.submitted) == 5
    assert min(stage.dashscope.times["submit"][sent + 1 :]) >= start + 30 * SECOND


async def test_two_dispatchers_slow_down_together(stage: Stage) -> None:
    account = Account(stage.time)
    stage.dashscope.submits = [SLOW, account.takes]
    for _ in range(6):
        await stage.job()
    loops = [stage.submitter(limits=LIMITS).run_once for _ in range(2)]
    await stage.crew.run(*loops, until=stage.time.now + 20 * SECOND)
    assert len(stage.dashscope.submitted) == 7
    assert min(gaps(stage.dashscope.times["submit"])) >= 500
    assert max(gaps(stage.dashscope.times["submit"])) >= 900


async def test_a_throttled_question_slows_all_questions(stage: Stage) -> None:
    stage.dashscope.fetches = [for_how_long(20), task("RUNNING")]
    for number in range(3):
        await pending(stage.ledger, f"task-{number}")
    poller = stage.poller({"dashscope": 2})
    await stage.crew.run(poller.run_once, until=stage.time.now + 15 * SECOND)
    assert len(stage.dashscope.fetched) == 1
    await stage.crew.run(poller.run_once, until=stage.time.now + 15 * SECOND)
    first, *others = stage.dashscope.times["fetch"]
    assert others[0] - first == 20 * SECOND
    assert gaps(others)[0] == 1_000


async def test_a_cancel_waits_for_its_slot(stage: Stage) -> None:
    stage.dashscope.cancels = [says(200, {"request_id": "r-1"})]
    job, start = await pending(stage.ledger), stage.time.now
    for _ in range(2):
        await stage.ledger.write(sweeps.slot, "dashscope", 5)

    async def cancels() -> None:
        await cancel(stage.ledger, stage.clients, {"dashscope": 5.0}, job.id, stage.time.sleep)

    stage.crew.spawn(cancels())
    await stage.crew.finish()
    assert stage.dashscope.times["cancel"] == [start + 400]
    assert (await stage.now(job)).status == "canceled"


@pytest.fixture
async def shaky(anyio_backend: str, sqlite_url: str, time: Time) -> AsyncIterator[tuple[Stage, Broken]]:
    """A stage whose database can be away."""
    database = Broken(await open_database(sqlite_url))
    await database.write(schema.create_all)
    ledger = Ledger(database, clock=time)
    stage = Stage(ledger, time)
    yield stage, database
    await stage.close()
    await ledger.close()


async def away_for(stage: Stage, database: Broken, seconds: float, *, expired: bool = False) -> None:
    """A submission is answered just as the database goes away. `expired`: its lease is ended before it is recorded."""

    async def goes_away(request: httpx.Request) -> httpx.Response:
        database.error = Unavailable("the disk is full")
        return httpx.Response(200, json={"output": {"task_id": "task-1", "task_status": "PENDING"}})

    stage.dashscope.submits, stage.dashscope.fetches = [goes_away], [task("RUNNING")]
    await stage.submitter().run_once(stage.time.now)
    await stage.crew.work()
    until = stage.time.now + int(seconds * SECOND)
    while (next_at := stage.time.next_at) is not None and next_at < until:
        stage.time.move_to(next_at)
        await stage.crew.work()
    stage.time.move_to(until)
    database.error = None
    if expired:
        await stage.ledger.write(submissions.expire)
    await stage.crew.finish()


async def test_a_task_id_outlives_a_database_that_is_away(shaky: tuple[Stage, Broken]) -> None:
    stage, database = shaky
    job = await stage.job()
    await away_for(stage, database, 20)
    now = await stage.now(job)
    assert (now.status, now.task_id) == ("pending", "task-1")
    assert stage.crew.failures == []
    await stage.pass_time()
    assert (await stage.now(job)).status == "running"
    assert len(stage.dashscope.submitted) == 1


@pytest.mark.parametrize("seconds", [LEASE / SECOND + 5, HOUR / SECOND])
async def test_a_task_id_outlives_its_lease(shaky: tuple[Stage, Broken], seconds: float) -> None:
    stage, database = shaky
    job = await stage.job()
    await away_for(stage, database, seconds, expired=True)
    now = await stage.now(job)
    assert (now.status, now.task_id) == ("pending", "task-1")
    assert await stage.diary(job) == ["unconfirmed", "submitted"]
    assert len(stage.dashscope.submitted) == 1


async def test_a_database_that_is_away_past_the_deadline_leaves_the_job_unconfirmed(
    shaky: tuple[Stage, Broken],
) -> None:
    stage, database = shaky
    job = await stage.job()
    await away_for(stage, database, DEADLINE / SECOND + 5)
    assert [type(failure) for failure in stage.crew.failures] == [Unavailable]
    await stage.submitter().run_once(stage.time.now)
    assert (await stage.now(job)).status == "unconfirmed"
    assert len(stage.dashscope.submitted) == 1
