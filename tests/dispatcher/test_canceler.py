"""Cancelling in each state, and what the provider may say to it."""

import httpx2 as httpx
import pytest
from builders import calls_back, done, failed, pending, queued, submitting, succeeded, unconfirmed, unfinished

from dispatcher.canceler import cancel
from ledger.errors import NotFound, Refused
from ledger.job import Job
from ledger.ledger import Ledger

from .stage import Stage
from .wire import Step, breaks, says

pytestmark = pytest.mark.anyio

RATES = {"dashscope": 20.0, "acedata": 20.0}
CANCELED = says(200, {"request_id": "r-1"})


async def running(ledger: Ledger) -> Job:
    job = await pending(ledger)
    await calls_back(ledger, job, unfinished())
    return job


async def lost(ledger: Ledger) -> Job:
    job = await pending(ledger)
    await ledger.write(lambda connection, moment: connection.exec_driver_sql("UPDATE jobs SET status = 'lost'").close())
    return job


async def failing(ledger: Ledger) -> Job:
    job = await pending(ledger)
    await calls_back(ledger, job, failed())
    return job


async def test_a_queued_job_is_canceled_at_once(stage: Stage) -> None:
    job = await stage.job()
    assert (await cancel(stage.ledger, stage.clients, RATES, job.id, stage.time.sleep)).status == "canceled"
    await stage.pass_time()
    assert stage.dashscope.submitted == []
    assert stage.dashscope.times["cancel"] == []
    assert await stage.notified(job) == ["job.canceled"]


async def test_a_queued_job_needs_no_provider(stage: Stage) -> None:
    job = await stage.job()
    assert (await cancel(stage.ledger, {}, RATES, job.id)).status == "canceled"


async def test_canceling_twice_is_canceling_once(stage: Stage) -> None:
    job = await stage.job()
    for _ in range(2):
        assert (await cancel(stage.ledger, stage.clients, RATES, job.id, stage.time.sleep)).status == "canceled"
    assert await stage.notified(job) == ["job.canceled"]


async def test_a_waiting_job_is_canceled_at_the_provider(stage: Stage) -> None:
    stage.dashscope.cancels = [CANCELED]
    job = await pending(stage.ledger)
    assert (await cancel(stage.ledger, stage.clients, RATES, job.id, stage.time.sleep)).status == "canceled"
    assert stage.dashscope.times["cancel"] == [stage.time.now]
    assert await stage.notified(job) == ["job.canceled"]
    await stage.poll_for(60_000)
    assert stage.dashscope.fetched == []


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (says(400, {"code": "UnsupportedOperation", "message": "it is RUNNING"}), "UnsupportedOperation: it is RUN"),
        (says(401, {"code": "InvalidApiKey", "message": "wrong key"}), "InvalidApiKey: wrong key"),
        (breaks(httpx.ConnectError("refused")), "it could not be reached"),
        (breaks(httpx.ReadTimeout("…")), "no answer within 20 seconds"),
    ],
)
async def test_the_providers_no_is_told_and_changes_nothing(stage: Stage, answer: Step, reason: str) -> None:
    stage.dashscope.cancels = [answer]
    job = await pending(stage.ledger)
    with pytest.raises(Refused, match=f"dashscope did not cancel it: .*{reason}"):
        await cancel(stage.ledger, stage.clients, RATES, job.id, stage.time.sleep)
    assert await stage.now(job) == job


async def test_acedata_has_no_such_call(stage: Stage) -> None:
    job = await pending(stage.ledger, provider="acedata", model="flux-dev")
    with pytest.raises(Refused, match="acedata cannot cancel a job that it has taken"):
        await cancel(stage.ledger, stage.clients, RATES, job.id, stage.time.sleep)
    assert stage.acedata.times["cancel"] == []


@pytest.mark.parametrize("make", [submitting, running, unconfirmed, done, failing, lost])
async def test_any_other_job_is_refused_with_its_state(stage: Stage, make: object) -> None:
    job = await stage.now(await make(stage.ledger))  # type: ignore[operator]
    with pytest.raises(Refused, match=f"the job is {job.status}"):
        await cancel(stage.ledger, stage.clients, RATES, job.id, stage.time.sleep)
    assert stage.dashscope.times["cancel"] == []
    assert await stage.now(job) == job


async def test_no_key_no_cancelling(stage: Stage) -> None:
    job = await pending(stage.ledger)
    with pytest.raises(Refused, match="no key for dashscope"):
        await cancel(stage.ledger, {}, RATES, job.id)


async def test_a_result_that_comes_while_canceling_wins(stage: Stage) -> None:
    async def finishes_meanwhile(request: httpx.Request) -> httpx.Response:
        await calls_back(stage.ledger, job, succeeded())
        return httpx.Response(200, json={"request_id": "r-1"})

    stage.dashscope.cancels = [finishes_meanwhile]
    job = await pending(stage.ledger)
    with pytest.raises(Refused, match="succeeded and can no longer be canceled"):
        await cancel(stage.ledger, stage.clients, RATES, job.id, stage.time.sleep)
    assert await stage.notified(job) == ["job.succeeded"]


async def test_an_unknown_job(stage: Stage) -> None:
    await queued(stage.ledger)
    with pytest.raises(NotFound):
        await cancel(stage.ledger, stage.clients, RATES, "job_00000000000000000000000000")
