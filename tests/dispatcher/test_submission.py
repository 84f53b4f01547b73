"""What comes of one submission, answer by answer."""

import json

import httpx2 as httpx
import pytest
from builders import rows, subscribed

from ledger.clock import SECOND
from ledger.schema import callbacks, deliveries

from .stage import DEADLINE, POLL_AFTER, PUBLIC_URL, Stage
from .wire import breaks, done, says, task

pytestmark = pytest.mark.anyio

TAKEN = says(200, {"success": True, "task_id": "task-1"})


async def test_a_job_is_sent_and_taken(stage: Stage) -> None:
    stage.dashscope.submits = [task("PENDING")]
    job = await stage.job()
    await stage.submit()
    sent = stage.dashscope.submitted[0]
    assert sent.headers["authorization"] == "Bearer sk-dashscope"
    assert json.loads(sent.content)["input"] == job.input
    now = await stage.now(job)
    assert (now.status, now.task_id, now.submitted_at) == ("pending", "task-1", stage.time.now)
    assert now.deadline_at == stage.time.now + DEADLINE
    assert now.due_at == stage.time.now + SECOND
    assert await stage.diary(job) == ["submitted"]


async def test_taken_is_told_to_the_poller_and_to_those_who_asked(stage: Stage) -> None:
    stage.dashscope.submits = [task("PENDING")]
    job, due, told = await stage.job(), [], []
    await subscribed(stage.ledger, events=["job.submitted"])
    await stage.submit(on_taken=due.append, on_told=lambda: told.append(1))
    assert (due, told) == ([(await stage.now(job)).due_at], [1])
    assert await stage.notified(job) == ["job.submitted"]
    assert [row.type for row in await rows(stage.ledger, deliveries)] == ["job.submitted"]


async def test_a_step_that_nobody_wants_to_hear_of_calls_nobody(stage: Stage) -> None:
    stage.dashscope.submits = [task("PENDING")]
    await stage.job()
    await subscribed(stage.ledger, events=["job.succeeded"])
    due, told = [], []
    await stage.submit(on_taken=due.append, on_told=lambda: told.append(1))
    assert (len(due), told) == (1, [])


async def test_what_the_provider_may_have_taken_is_asked_about_at_once(stage: Stage) -> None:
    stage.dashscope.submits = [breaks(httpx.ReadTimeout("…"))]
    await stage.job()
    due: list[int | None] = []
    await stage.submit(on_taken=due.append)
    assert due == [None]


async def test_a_final_refusal_fails_the_job_in_the_providers_words(stage: Stage) -> None:
    stage.dashscope.submits = [says(400, {"code": "DataInspectionFailed", "message": "not this", "request_id": "r"})]
    job = await stage.job()
    await stage.pass_time()
    now = await stage.now(job)
    assert (now.status, now.error) == ("failed", {"code": "DataInspectionFailed", "message": "not this"})
    assert await stage.notified(job) == ["job.failed"]
    assert len(stage.dashscope.submitted) == 1


async def test_throttled_is_put_back_and_waits_as_long_as_it_was_told(stage: Stage) -> None:
    throttled = says(429, {"code": "Throttling.RateQuota", "message": "slow down"}, retry_after="37")
    stage.dashscope.submits = [throttled, task("PENDING")]
    job = await stage.job()
    await stage.submit()
    now = await stage.now(job)
    assert (now.status, now.due_at) == ("queued", stage.time.now + 37 * SECOND)
    await stage.pass_time(36_999)
    assert len(stage.dashscope.submitted) == 1
    stage.dashscope.fetches = [task("RUNNING")]
    await stage.pass_time(2)
    assert len(stage.dashscope.submitted) == 2
    assert (await stage.now(job)).status == "pending"
    assert await stage.diary(job) == ["put_back", "submitted"]


async def test_what_never_connected_is_sent_again_once_it_can_be(stage: Stage) -> None:
    stage.dashscope.submits = [breaks(httpx.ConnectError("refused")), task("PENDING")]
    stage.dashscope.fetches = [task("RUNNING")]
    job = await stage.job()
    await stage.pass_time()
    assert len(stage.dashscope.submitted) == 2
    assert (await stage.now(job)).status == "running"
    assert await stage.diary(job) == ["put_back", "submitted", "running"]


async def test_pauses_grow_while_nothing_connects(stage: Stage) -> None:
    stage.dashscope.submits = [breaks(httpx.ConnectError("refused"))]
    await stage.job()
    await stage.pass_time(160_000)
    start = stage.dashscope.times["submit"][0]
    assert [(at - start) // SECOND for at in stage.dashscope.times["submit"]] == [0, 1, 3, 7, 15, 31, 63, 123]


async def test_an_acknowledgement_that_holds_the_result_is_a_callback(stage: Stage) -> None:
    answer = {"success": True, "task_id": "task-1", "data": [{"image_url": "https://images.example/1.png"}]}
    stage.acedata.submits = [says(200, answer)]
    job = await stage.job(provider="acedata")
    await stage.submit()
    assert json.loads(stage.receiver.posts[0].content) == answer
    now = await stage.now(job)
    assert (now.status, now.task_id) == ("succeeded", "task-1")
    assert now.results == [{"url": "https://images.example/1.png", "error": None, "artifact": None}]
    assert [row.verdict for row in await rows(stage.ledger, callbacks)] == ["accepted"]
    assert await stage.notified(job) == ["job.succeeded"]


async def test_a_result_that_the_receiver_missed_is_asked_for(stage: Stage) -> None:
    stage.dashscope.submits = [done()]
    stage.dashscope.fetches = [done()]
    stage.receiver.faults = iter([503])
    job = await stage.job()
    await stage.pass_time()
    assert (await stage.now(job)).status == "succeeded"
    assert len(stage.receiver.posts) == 2


@pytest.mark.parametrize("answer", [{"success": True}, {}, {"task_id": ""}, ["task-1"], None])
async def test_an_answer_without_a_task_id_confirms_nothing(stage: Stage, answer: object) -> None:
    stage.acedata.submits = [says(200, answer)]
    job = await stage.job(provider="acedata")
    await stage.pass_time()
    assert (await stage.now(job)).status == "unconfirmed"
    assert len(stage.acedata.submitted) == 1


async def test_the_callback_url_carries_a_token_for_this_job(stage: Stage) -> None:
    stage.acedata.submits = [TAKEN]
    job = await stage.job(provider="acedata")
    await stage.submit()
    body = json.loads(stage.acedata.submitted[0].content)
    base, token = body["callback_url"].rsplit("/", 1)
    assert base == f"{PUBLIC_URL}/callbacks"
    assert stage.tokens.read(token) == (job.id, "acedata")
    assert "async" not in body
    assert (await stage.now(job)).due_at == stage.time.now + POLL_AFTER


async def test_who_could_not_call_us_is_asked(stage: Stage) -> None:
    stage.acedata.submits = [TAKEN]
    job = await stage.job(provider="acedata")
    await stage.submit(public_url="http://127.0.0.1:8414")
    body = json.loads(stage.acedata.submitted[0].content)
    assert body["async"] is True
    assert "callback_url" not in body
    assert (await stage.now(job)).due_at == stage.time.now + SECOND


async def test_dashscope_gets_no_callback_url(stage: Stage) -> None:
    stage.dashscope.submits = [task("PENDING")]
    await stage.job()
    await stage.submit()
    assert b"callback" not in stage.dashscope.submitted[0].content


async def test_an_echoed_token_is_blanked(stage: Stage) -> None:
    def echo(request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        message = f"could not reach {asked['callback_url']}"
        return httpx.Response(400, json={"error": {"code": "bad_request", "message": message}})

    stage.acedata.submits = [echo]
    job = await stage.job(provider="acedata")
    await stage.submit()
    now = await stage.now(job)
    assert now.error == {
        "code": "bad_request",
        "message": f"could not reach {PUBLIC_URL}/callbacks/[callback token]",
    }


async def test_a_provider_without_a_key_leaves_its_jobs_queued(stage: Stage) -> None:
    del stage.clients["dashscope"]
    job = await stage.job()
    assert await stage.pass_time() < 5
    assert (await stage.now(job)).status == "queued"
