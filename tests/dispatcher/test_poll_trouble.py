"""Asking when the provider or the receiver is in trouble, and giving up in the end."""

import itertools
from itertools import pairwise

import httpx2 as httpx
import pytest
from builders import calls_back, pending, succeeded, unfinished

from dispatcher.poller import GRACE
from ledger.clock import MINUTE, SECOND

from .stage import Stage
from .wire import Step, breaks, done, says, task

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "fault",
    [500, 502, 503, 429, 408, httpx.ConnectError("refused"), httpx.ReadTimeout("…"), TimeoutError()],
    ids=str,
)
async def test_a_receiver_in_trouble_is_tried_until_it_takes_the_result(stage: Stage, fault: int | Exception) -> None:
    stage.dashscope.fetches = [done()]
    stage.receiver.faults = itertools.repeat(fault, 6)
    job = await pending(stage.ledger)
    await stage.poll_for(2 * MINUTE)
    now = await stage.now(job)
    assert (now.status, now.warnings) == ("succeeded", [])
    assert len(stage.receiver.posts) == 7
    pauses = [(after - before) // SECOND for before, after in pairwise(stage.receiver.times)]
    assert pauses == [1, 2, 4, 8, 8, 8]
    assert await stage.notified(job) == ["job.succeeded"]


@pytest.mark.parametrize("status", [400, 401, 404, 405, 413])
async def test_a_receiver_that_refuses_for_good_is_shown_and_left_alone(stage: Stage, status: int) -> None:
    stage.dashscope.fetches = [done()]
    stage.receiver.faults = itertools.repeat(status)
    job = await pending(stage.ledger)
    await stage.poll_for(23 * 60 * MINUTE)
    assert len(stage.receiver.posts) == 1
    now = await stage.now(job)
    assert now.status == "pending"
    assert len(now.warnings) == 1
    assert f"HTTP {status}" in now.warnings[0]
    assert "warning" in await stage.diary(job)
    await stage.poll_for(2 * 60 * MINUTE)
    assert len(stage.receiver.posts) == 2  # once more at the deadline
    assert (await stage.now(job)).status == "lost"


async def test_a_receiver_that_is_set_right_before_the_deadline_gets_the_result(stage: Stage) -> None:
    stage.dashscope.fetches = [done()]
    stage.receiver.faults = iter([404])
    job = await pending(stage.ledger)
    await stage.poll_for(25 * 60 * MINUTE)
    now = await stage.now(job)
    assert now.status == "succeeded"
    assert await stage.notified(job) == ["job.succeeded"]


async def test_unknown_right_after_the_submission_is_forgiven(stage: Stage) -> None:
    stage.dashscope.fetches = [task("UNKNOWN"), task("UNKNOWN"), task("RUNNING")]
    job = await pending(stage.ledger)
    await stage.poll_for(GRACE)
    assert (await stage.now(job)).status == "running"


async def test_unknown_afterwards_is_lost(stage: Stage) -> None:
    stage.dashscope.fetches = [task("UNKNOWN")]
    job = await pending(stage.ledger)
    await stage.poll_for(GRACE)
    assert (await stage.now(job)).status == "pending"
    await stage.poll_for(MINUTE)
    now = await stage.now(job)
    assert (now.status, now.error) == ("lost", {"code": "Lost", "message": "the provider no longer knows the job"})
    assert await stage.notified(job) == ["job.lost"]
    asked = len(stage.dashscope.fetched)
    await stage.poll_for(60 * MINUTE)
    assert len(stage.dashscope.fetched) == asked


async def test_a_job_is_lost_at_its_deadline_and_a_late_success_is_taken(stage: Stage) -> None:
    stage.dashscope.submits, stage.dashscope.fetches = [task("PENDING")], [task("RUNNING")]
    job, start = await stage.job(), stage.time.now
    await stage.pass_time(3 * MINUTE, deadline=2 * MINUTE)
    now = await stage.now(job)
    assert (now.status, now.finished_at) == ("lost", start + 2 * MINUTE)
    assert stage.dashscope.times["fetch"][-1] == start + 2 * MINUTE  # asked once more before it is given up
    assert await calls_back(stage.ledger, job, unfinished(), succeeded()) == ["progress", "accepted"]
    assert (await stage.now(job)).status == "succeeded"
    assert await stage.notified(job) == ["job.lost", "job.succeeded"]


async def test_a_result_found_at_the_deadline_counts(stage: Stage) -> None:
    stage.dashscope.submits = [task("PENDING")]
    stage.dashscope.fetches = [task("RUNNING")] * 4 + [done()]
    job = await stage.job()
    await stage.pass_time(MINUTE, deadline=7 * SECOND)  # after 1, 2, 4, 6 and at last 7 seconds
    assert (await stage.now(job)).status == "succeeded"


REFUSALS = {
    "a wrong key": says(401, {"code": "InvalidApiKey", "message": "Invalid API-key provided."}),
    "no permission": says(403, {"code": "AccessDenied", "message": "no"}),
    "an unpaid bill": says(429, {"code": "PrepaidBillOverdue", "message": "pay"}),
    "a wrong address": says(404, {"code": "ModelNotFound", "message": "what?"}),
}


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
async def test_a_refusal_to_be_asked_never_fails_the_job(stage: Stage, refusal: Step) -> None:
    stage.dashscope.fetches = [refusal] * 4 + [done()]
    job = await pending(stage.ledger)
    await stage.poll_for(3 * MINUTE + 30 * SECOND)
    now = await stage.now(job)
    assert now.status == "pending"
    assert len(now.warnings) == 1
    assert "the provider refuses to be asked" in now.warnings[0]
    pauses = {after - before for before, after in pairwise(stage.dashscope.times["fetch"])}
    assert pauses == {MINUTE}
    await stage.poll_for(MINUTE)
    assert (await stage.now(job)).status == "succeeded"


@pytest.mark.parametrize(
    "trouble",
    [
        says(429, {"code": "Throttling", "message": "slow"}),
        says(500, {"code": "InternalError", "message": "oops"}),
        lambda request: httpx.Response(502, html="<h1>Bad Gateway</h1>"),
        lambda request: httpx.Response(200, content=b"{"),
        breaks(httpx.ConnectError("refused")),
        breaks(httpx.ReadTimeout("…")),
        breaks(TimeoutError()),
    ],
    ids=["throttled", "internal error", "html", "half an answer", "refused", "no answer", "slow as a whole"],
)
async def test_a_provider_in_trouble_is_asked_less_and_less_often(stage: Stage, trouble: Step) -> None:
    stage.dashscope.fetches = [trouble] * 5 + [done()]
    job = await pending(stage.ledger)
    await stage.poll_for(MINUTE)
    pauses = [(after - before) // SECOND for before, after in pairwise(stage.dashscope.times["fetch"])]
    assert pauses == [1, 2, 4, 8, 8]
    now = await stage.now(job)
    assert now.status == "succeeded"
    # Only what the provider said and nobody can read is for a person to know.
    assert [warning.split(":")[0] for warning in now.warnings] in ([], ["the provider's answer could not be read"])


async def test_retry_after_is_honoured(stage: Stage) -> None:
    stage.dashscope.fetches = [says(429, {"code": "Throttling", "message": "slow"}, retry_after="45"), done()]
    await pending(stage.ledger)
    await stage.poll_for(2 * MINUTE)
    first, second = stage.dashscope.times["fetch"]
    assert second - first == 45 * SECOND


async def test_a_callback_and_a_poll_race_to_one_outcome(stage: Stage) -> None:
    async def called_back_meanwhile(request: httpx.Request) -> httpx.Response:
        assert await calls_back(stage.ledger, job, succeeded("https://images.example/1.png")) == ["accepted"]
        return done()(request)  # type: ignore[return-value]

    stage.dashscope.fetches = [called_back_meanwhile]
    job = await pending(stage.ledger)
    await stage.poll_for(2 * MINUTE)
    now = await stage.now(job)
    assert (now.status, now.callback_counts) == ("succeeded", {"duplicate": 1})
    assert await stage.notified(job) == ["job.succeeded"]


async def test_an_answer_that_a_callback_overtook_changes_nothing(stage: Stage) -> None:
    async def called_back_meanwhile(request: httpx.Request) -> httpx.Response:
        await calls_back(stage.ledger, job, succeeded())
        return task("RUNNING")(request)  # type: ignore[return-value]

    stage.dashscope.fetches = [called_back_meanwhile]
    job = await pending(stage.ledger)
    await stage.poll_for(2 * MINUTE)
    assert (await stage.now(job)).status == "succeeded"
    assert len(stage.dashscope.fetched) == 1
