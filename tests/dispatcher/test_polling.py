"""Asking on the callback's behalf: when, how often, and what becomes of the answers."""

import json
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from builders import pending, rows, subscribed

from dispatcher.rhythm import next_poll
from ledger.clock import SECOND
from ledger.job import Job
from ledger.schema import callbacks
from providers import PROVIDERS

from .stage import POLL_AFTER, Stage
from .wire import done, says, task

pytestmark = pytest.mark.anyio


async def asked_for(stage: Stage, **changes: Any) -> Job:
    """A job that its provider has taken, due to be asked about in a second."""
    return await pending(stage.ledger, **changes)


async def test_it_asks_in_the_rhythm_of_the_sdk(stage: Stage) -> None:
    stage.dashscope.fetches = [task("PENDING")]
    start = stage.time.now
    await asked_for(stage)
    await stage.poll_for(122 * SECOND)
    times = stage.dashscope.times["fetch"]
    assert times[0] - start == SECOND
    pauses = [(after - before) / SECOND for before, after in pairwise(times)]
    assert pauses[:15] == [1, 2, 2, 2, 4, 4, 4, 5, 5, 5, 5, 8, 8, 8, 10]
    assert set(pauses[15:]) == {15}


async def test_jitter_spreads_jobs_apart(stage: Stage) -> None:
    stage.dashscope.fetches = [task("PENDING")]
    job = await asked_for(stage)
    poller = stage.poller()
    poller._jitter = lambda: 0.9
    await stage.crew.run(poller.run_once, until=stage.time.now + 10 * SECOND)
    pauses = [after - before for before, after in pairwise(stage.dashscope.times["fetch"])]
    assert pauses == [next_poll(polls, 0.9) for polls in range(1, len(pauses) + 1)]
    assert (await stage.now(job)).polls == len(stage.dashscope.fetched)


async def test_a_change_is_noted_once(stage: Stage) -> None:
    stage.dashscope.fetches = [task("PENDING"), task("RUNNING"), task("RUNNING"), task("SUSPENDED"), task("RUNNING")]
    await subscribed(stage.ledger, events=["job.running"])
    job = await asked_for(stage)
    await stage.poll_for(60 * SECOND)
    now = await stage.now(job)
    assert (now.status, now.provider_status) == ("running", "RUNNING")
    assert await stage.notified(job) == ["job.running"]
    assert await stage.diary(job) == ["submitted", "polled", "running", "polled", "polled"]


async def test_what_follows_a_change_need_not_be_waited_for(stage: Stage) -> None:
    stage.dashscope.fetches = [task("PENDING"), task("RUNNING"), task("RUNNING")]
    job = await asked_for(stage)
    moved: list[int] = []
    poller = stage.poller(on_moved=lambda: moved.append(len(stage.dashscope.fetched)))
    await stage.crew.run(poller.run_once, until=stage.time.now + 20 * SECOND)
    assert moved == [1, 2], "that it waits, and that it runs; not that it still does"
    stage.time.move_to((await stage.now(job)).deadline_at or 0)  # asking until then takes long
    await stage.crew.run(poller.run_once, until=stage.time.now + 60 * SECOND)
    assert (await stage.now(job)).status == "lost"
    assert moved == [1, 2, len(stage.dashscope.fetched)]


async def test_an_unheard_of_word_means_not_finished(stage: Stage) -> None:
    stage.dashscope.fetches = [task("THINKING"), done()]
    job = await asked_for(stage)
    await stage.poll_for(SECOND)
    await stage.poll_for(1)
    now = await stage.now(job)
    assert (now.status, now.provider_status) == ("pending", "THINKING")
    await stage.poll_for(20 * SECOND)
    assert (await stage.now(job)).status == "succeeded"


@pytest.mark.parametrize("word", ["SUCCEEDED", "SUCCESSED", "FAILED", "CANCELED"])
async def test_a_result_becomes_one_callback_and_no_further_question(stage: Stage, word: str) -> None:
    stage.dashscope.fetches = [task("RUNNING"), task(word)]
    job = await asked_for(stage)
    await stage.poll_for(120 * SECOND)
    assert len(stage.dashscope.fetched) == 2
    assert len(stage.receiver.posts) == 1
    token = stage.receiver.posts[0].url.path.removeprefix("/callbacks/")
    assert stage.tokens.read(token) == (job.id, "dashscope")
    assert PROVIDERS["dashscope"].read_callback(stage.receiver.posts[0].content).provider_status == word
    outcome = {"SUCCEEDED": "succeeded", "SUCCESSED": "succeeded", "FAILED": "failed", "CANCELED": "canceled"}[word]
    assert (await stage.now(job)).status == outcome
    assert await stage.notified(job) == [f"job.{outcome}"]
    assert [row.verdict for row in await rows(stage.ledger, callbacks)] == ["accepted"]


async def test_each_post_carries_a_fresh_token(stage: Stage) -> None:
    stage.dashscope.fetches = [done()]
    stage.receiver.faults = iter([500])
    await asked_for(stage)
    await stage.poll_for(60 * SECOND)
    first, second = (post.url.path for post in stage.receiver.posts)
    assert first != second


async def test_acedata_is_asked_only_when_its_callback_is_late(stage: Stage) -> None:
    record = {
        "id": "task-1",
        "finished_at": 1,
        "response": {"success": True, "task_id": "task-1", "data": [{"image_url": "https://images.example/1.png"}]},
    }
    stage.acedata.submits = [says(200, {"success": True, "task_id": "task-1"})]
    stage.acedata.fetches = [says(200, {"id": "task-1", "started_at": 1}), says(200, record)]
    job, start = await stage.job(provider="acedata"), stage.time.now
    await stage.pass_time(POLL_AFTER)
    assert stage.acedata.fetched == []
    await stage.pass_time(60 * SECOND)
    assert stage.acedata.times["fetch"] == [start + POLL_AFTER, start + POLL_AFTER + SECOND]
    assert json.loads(stage.acedata.fetched[0].content) == {"action": "retrieve", "id": "task-1"}
    assert (await stage.now(job)).status == "succeeded"
    assert await stage.notified(job) == ["job.succeeded"]


@pytest.mark.parametrize("rate", [3, 20, 7.5])
async def test_never_more_questions_in_any_second_than_allowed(stage: Stage, rate: float) -> None:
    stage.dashscope.fetches = [task("PENDING", task_id="")]
    await stage.more(await asked_for(stage), round(2 * rate))
    poller = stage.poller(rates={"dashscope": rate})
    await stage.crew.run(poller.run_once, until=stage.time.now + 3 * SECOND)
    times = stage.dashscope.times["fetch"]
    assert len(times) >= 2 * rate - 1
    for at in set(times):
        assert sum(at <= other < at + SECOND for other in times) <= rate + (rate % 1 > 0)
    assert min(Counter(times).values()) == max(Counter(times).values()) == 1


async def test_two_pollers_share_one_rate(stage: Stage) -> None:
    stage.dashscope.fetches = [task("PENDING", task_id="")]
    await stage.more(await asked_for(stage), 20)
    pollers = [stage.poller(rates={"dashscope": 10}).run_once for _ in range(2)]
    await stage.crew.run(*pollers, until=stage.time.now + 2 * SECOND)
    times = stage.dashscope.times["fetch"]
    assert len(times) >= 10
    assert {after - before for before, after in pairwise(times)} == {100}


async def test_a_job_that_only_its_callback_can_end(stage: Stage) -> None:
    job = await pending(stage.ledger, task_id=None)
    await stage.poll_for(24 * 3_600 * SECOND - 1)
    assert stage.dashscope.fetched == []
    assert (await stage.now(job)).status == "pending"
    await stage.poll_for(2)
    now = await stage.now(job)
    assert (now.status, now.error) == ("lost", {"code": "Lost", "message": "no result came before its deadline"})


async def test_nothing_is_asked_while_nothing_is_due(stage: Stage) -> None:
    assert await stage.poller().run_once(stage.time.now) is None
    await asked_for(stage)
    assert await stage.poller().run_once(stage.time.now) == stage.time.now + SECOND
    assert stage.dashscope.fetched == []


async def test_a_poller_that_stops_leaves_the_job_to_the_next(stage: Stage) -> None:
    stage.dashscope.fetches = [done()]
    job = await asked_for(stage)
    stage.time.move_to(stage.time.now + SECOND)
    await stage.poller().run_once(stage.time.now)
    await stage.crew.die()
    await stage.poll_for(60 * SECOND)
    assert (await stage.now(job)).status == "succeeded"
    assert await stage.notified(job) == ["job.succeeded"]
