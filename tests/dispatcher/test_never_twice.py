"""A paid job is never sent twice by us, wherever the connection or the process is cut."""

import asyncio

import httpx2 as httpx
import pytest
from builders import arrival, calls_back, ended, succeeded

from dispatcher.submitter import LEASE
from ledger import jobs, submissions
from ledger.accept import accept
from ledger.clock import HOUR, SECOND
from ledger.pace import Limit
from ledger.submitted import Settlement

from .stage import Stage
from .wire import Step, breaks, says, task

pytestmark = pytest.mark.anyio

AMBIGUOUS = {
    "no answer": breaks(httpx.ReadTimeout("…")),
    "half sent": breaks(httpx.WriteTimeout("…")),
    "cut while sending": breaks(httpx.WriteError("…")),
    "cut while answering": breaks(httpx.ReadError("…")),
    "closed without an answer": breaks(httpx.RemoteProtocolError("…")),
    "took too long as a whole": breaks(TimeoutError()),
    "an answer that cannot be unpacked": breaks(httpx.DecodingError("…")),
    "an internal error": says(500, {"code": "InternalError", "message": "oops"}),
    "a gateway's error": lambda request: httpx.Response(502, html="<h1>Bad Gateway</h1>"),
    "a gateway's timeout": lambda request: httpx.Response(504, html="<h1>Gateway Timeout</h1>"),
    "a request timeout": says(408, {"code": "RequestTimeOut", "message": "slow"}),
    "a yes that cannot be read": lambda request: httpx.Response(200, content=b'{"output": {"task_id"'),
    "a yes that never ends": lambda request: httpx.Response(200, content=b"[" * (4 * 1024 * 1024 + 1)),
}


@pytest.mark.parametrize("answer", AMBIGUOUS.values(), ids=AMBIGUOUS)
async def test_what_may_have_started_is_never_sent_again(stage: Stage, answer: Step) -> None:
    stage.dashscope.submits = [answer]
    job = await stage.job()
    await stage.pass_time(48 * HOUR)
    for _ in range(3):
        await stage.pass_time(HOUR)
    now = await stage.now(job)
    assert (now.status, now.tries) == ("unconfirmed", 1)
    assert len(stage.dashscope.submitted) == 1
    assert await stage.notified(job) == ["job.unconfirmed"]
    assert now.error is not None
    assert now.error["message"]


async def test_nothing_is_sent_after_the_lease(stage: Stage) -> None:
    stage.dashscope.submits = [task("PENDING")]
    jobs_ = [await stage.job() for _ in range(2)]
    submitter = stage.submitter(limits={"dashscope": Limit(5)})
    await submitter.run_once(stage.time.now)
    await stage.crew.work()  # the first is sent, the second waits for its slot
    assert len(stage.dashscope.submitted) == 1
    stage.time.move_to(stage.time.now + LEASE + SECOND)
    await stage.crew.finish()
    assert len(stage.dashscope.submitted) == 1
    stage.dashscope.fetches = [task("RUNNING")]
    await stage.pass_time()
    # It was provably not sent, so it is sent now: once for each job.
    assert [(await stage.now(job)).status for job in jobs_] == ["running", "running"]
    assert await stage.diary(jobs_[1]) == ["put_back", "submitted", "running"]
    assert len(stage.dashscope.submitted) == 2


async def test_the_lease_is_good_until_its_last_moment(stage: Stage) -> None:
    stage.dashscope.submits = [task("PENDING")]
    await stage.job()
    await stage.submitter().run_once(stage.time.now)
    stage.time.move_to(stage.time.now + LEASE - 1)
    await stage.crew.work()
    assert len(stage.dashscope.submitted) == 1


async def test_a_process_that_stops_before_it_sends(stage: Stage) -> None:
    stage.dashscope.submits, stage.dashscope.fetches = [task("PENDING")], [task("RUNNING")]
    job = await stage.job()
    await stage.submitter().run_once(stage.time.now)
    await stage.crew.die()
    await stage.pass_time(LEASE - 1)
    assert (await stage.now(job)).status == "submitting"
    assert stage.dashscope.submitted == []
    await stage.pass_time()
    assert (await stage.now(job)).status == "running"
    assert len(stage.dashscope.submitted) == 1
    assert await stage.diary(job) == ["put_back", "submitted", "running"]


async def test_a_process_that_stops_while_the_provider_thinks(stage: Stage) -> None:
    async def thinks(request: httpx.Request) -> httpx.Response:
        await stage.time.sleep(60)
        return httpx.Response(200, json={})

    stage.dashscope.submits = [thinks]
    job = await stage.job()
    await stage.submitter().run_once(stage.time.now)
    await stage.crew.work()
    await stage.crew.die()
    await stage.pass_time(48 * HOUR)
    assert (await stage.now(job)).status == "unconfirmed"
    assert len(stage.dashscope.submitted) == 1
    assert await stage.notified(job) == ["job.unconfirmed"]


async def test_a_process_that_stops_as_the_answer_arrives(stage: Stage) -> None:
    async def answers_as_the_process_dies(request: httpx.Request) -> httpx.Response:
        raise asyncio.CancelledError

    stage.dashscope.submits = [answers_as_the_process_dies]
    job = await stage.job()
    await stage.submitter().run_once(stage.time.now)
    await stage.crew.work()
    await stage.pass_time(HOUR)
    assert (await stage.now(job)).status == "unconfirmed"
    assert len(stage.dashscope.submitted) == 1


async def test_a_start_on_sqlite_ends_what_the_dead_process_held(stage: Stage) -> None:
    async def thinks(request: httpx.Request) -> httpx.Response:
        await stage.time.sleep(60)
        return httpx.Response(200, json={})

    stage.dashscope.submits, stage.dashscope.fetches = [thinks, task("PENDING")], [task("RUNNING")]
    sent = await stage.job()
    await stage.submitter().run_once(stage.time.now)
    await stage.crew.work()
    unsent = await stage.job()
    await stage.submitter().run_once(stage.time.now)
    await stage.crew.die()
    await stage.ledger.write(submissions.abandon)
    await stage.pass_time(SECOND)
    assert (await stage.now(sent)).status == "unconfirmed"
    assert (await stage.now(unsent)).status == "pending"
    assert len(stage.dashscope.submitted) == 2


async def test_an_answer_after_the_lease_still_confirms_the_job(stage: Stage) -> None:
    async def late(request: httpx.Request) -> httpx.Response:
        await stage.time.sleep((LEASE + SECOND) / SECOND)
        return httpx.Response(200, json={"output": {"task_id": "task-1", "task_status": "PENDING"}})

    stage.dashscope.submits, stage.dashscope.fetches = [late], [task("RUNNING")]
    job = await stage.job()
    await stage.pass_time()
    now = await stage.now(job)
    assert (now.status, now.task_id, now.error) == ("running", "task-1", None)
    assert len(stage.dashscope.submitted) == 1
    assert await stage.diary(job) == ["unconfirmed", "submitted", "running"]


async def test_a_callback_that_is_faster_than_the_answer(stage: Stage) -> None:
    async def calls_first(request: httpx.Request) -> httpx.Response:
        verdicts = await calls_back(stage.ledger, job, succeeded())
        assert verdicts == ["accepted"]
        return httpx.Response(200, json={"success": True, "task_id": "task-1"})

    stage.acedata.submits = [calls_first]
    job = await stage.job(provider="acedata")
    await stage.submit()
    await stage.pass_time()
    now = await stage.now(job)
    assert (now.status, now.task_id) == ("succeeded", "task-1")
    assert await stage.notified(job) == ["job.succeeded"]
    assert stage.acedata.fetched == []


async def test_a_callback_before_an_answer_that_says_nothing(stage: Stage) -> None:
    async def calls_first(request: httpx.Request) -> httpx.Response:
        await calls_back(stage.ledger, job, succeeded(task_id=None))
        raise httpx.ReadTimeout("…")

    stage.acedata.submits = [calls_first]
    job = await stage.job(provider="acedata")
    await stage.submit()
    await stage.pass_time()
    assert (await stage.now(job)).status == "succeeded"
    assert await stage.notified(job) == ["job.succeeded"]


async def test_a_late_callback_resolves_an_unconfirmed_job(stage: Stage) -> None:
    stage.acedata.submits = [breaks(httpx.ReadTimeout("…"))]
    job = await stage.job(provider="acedata")
    await stage.submit()
    assert await stage.ledger.write(accept, [arrival(job, succeeded())]) == ["accepted"]
    now = await stage.now(job)
    assert (now.status, now.error) == ("succeeded", None)
    assert await stage.notified(job) == ["job.unconfirmed", "job.succeeded"]


async def test_a_resubmitted_job_is_another_job(stage: Stage) -> None:
    stage.dashscope.submits = [breaks(httpx.ReadTimeout("…")), task("PENDING", "task-2")]
    stage.dashscope.fetches = [task("RUNNING", "task-2")]
    job = await stage.job()
    await stage.pass_time()
    again = await stage.ledger.write(jobs.resubmit, job.id)
    await stage.pass_time()
    assert ((await stage.now(job)).status, (await stage.now(again)).status) == ("unconfirmed", "running")
    assert len(stage.dashscope.submitted) == 2


async def test_only_the_leases_holder_puts_a_job_back(stage: Stage) -> None:
    job = await stage.job()
    claim = await stage.ledger.write(submissions.claim, {"dashscope": Limit(0)}, LEASE)
    other = Settlement(job.id, claim.jobs[0].job.lease - 1, "put_back", due_at=stage.time.now)
    assert await ended(stage.ledger, other) == [False]
    assert (await stage.now(job)).status == "submitting"
