"""AceData answers for several jobs in one call: one slot for all of them, and an outcome for each."""

import json
from typing import Any

import httpx2 as httpx
import pytest
from builders import pending

from dispatcher.poller import GRACE, Poller
from ledger.clock import MINUTE, SECOND
from ledger.job import Job

from .account import gaps
from .stage import Stage
from .wire import Step, breaks, says

pytestmark = pytest.mark.anyio


def finished(task_id: str) -> dict[str, Any]:
    image = {"success": True, "task_id": task_id, "data": [{"image_url": f"https://images.example/{task_id}.png"}]}
    return {"id": task_id, "created_at": 1.0, "started_at": 2.0, "finished_at": 3.0, "response": image}


def working(task_id: str) -> dict[str, Any]:
    return {"id": task_id, "created_at": 1.0, "started_at": 2.0}


def records(*items: Any) -> Step:
    return says(200, {"items": list(items), "count": len(items)})


def asked(stage: Stage) -> list[Any]:
    """The bodies of the calls so far."""
    return [json.loads(request.content) for request in stage.acedata.fetched]


async def out(stage: Stage, *task_ids: str) -> list[Job]:
    """Jobs at AceData, due in a second."""
    return [await pending(stage.ledger, task_id, provider="acedata", model="flux-dev") for task_id in task_ids]


async def ask(stage: Stage, milliseconds: int = SECOND + 100, rate: float = 20) -> None:
    poller: Poller = stage.poller({"acedata": rate})
    await stage.crew.run(poller.run_once, until=stage.time.now + milliseconds)


async def test_several_jobs_are_asked_about_in_one_call(stage: Stage) -> None:
    stage.acedata.fetches = [records(*map(finished, "abc"))]
    made = await out(stage, *"abc")
    await ask(stage)
    (body,) = asked(stage)
    assert (body["action"], sorted(body["ids"])) == ("retrieve_batch", ["a", "b", "c"])
    now = [await stage.now(job) for job in made]
    assert [job.status for job in now] == ["succeeded"] * 3
    assert [job.results and job.results[0]["url"] for job in now] == [f"https://images.example/{x}.png" for x in "abc"]
    assert [await stage.notified(job) for job in made] == [["job.succeeded"]] * 3


async def test_one_job_is_retrieved_by_itself(stage: Stage) -> None:
    stage.acedata.fetches = [says(200, finished("a"))]
    (job,) = await out(stage, "a")
    await ask(stage)
    assert asked(stage) == [{"action": "retrieve", "id": "a"}]
    assert (await stage.now(job)).status == "succeeded"


async def test_a_call_takes_one_slot_however_many_it_asks_about(stage: Stage) -> None:
    def all_work(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"items": [working(one) for one in json.loads(request.content)["ids"]]})

    stage.acedata.fetches = [all_work]
    start = stage.time.now
    await out(stage, *(f"task-{number}" for number in range(45)))
    await ask(stage, 1_400, rate=10)
    assert [len(body["ids"]) for body in asked(stage)] == [20, 20, 5]
    assert gaps(stage.acedata.times["fetch"]) == [100, 100]
    assert stage.acedata.times["fetch"][0] == start + SECOND


async def test_two_services_are_asked_at_their_own_paths_and_each_at_its_turn(stage: Stage) -> None:
    def all_done(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"items": [finished(one) for one in json.loads(request.content)["ids"]]})

    stage.acedata.fetches = [all_done]
    models = {"a": "flux-dev", "b": "nano-banana", "c": "flux-of-tomorrow", "d": "nano-banana-pro"}
    made = [await pending(stage.ledger, name, provider="acedata", model=model) for name, model in models.items()]
    await ask(stage, 1_400, rate=10)
    calls = {request.url.path: json.loads(request.content)["ids"] for request in stage.acedata.fetched}
    assert {path: sorted(ids) for path, ids in calls.items()} == {
        "/flux/tasks": ["a", "c"],
        "/nano-banana/tasks": ["b", "d"],
    }
    assert gaps(stage.acedata.times["fetch"]) == [100]
    assert [(await stage.now(job)).status for job in made] == ["succeeded"] * 4


async def test_a_job_alone_is_retrieved_at_the_path_of_its_service(stage: Stage) -> None:
    stage.acedata.fetches = [says(200, finished("a"))]
    job = await pending(stage.ledger, "a", provider="acedata", model="doubao-seedream-5-0-260128")
    await ask(stage)
    assert [request.url.path for request in stage.acedata.fetched] == ["/seedream/tasks"]
    assert (await stage.now(job)).status == "succeeded"


async def test_each_gets_its_own_outcome(stage: Stage) -> None:
    refused = {"id": "refused", "response": {"success": False, "error": {"code": "forbidden", "message": "no"}}}
    garbage = {"id": "garbage", "finished_at": 3.0, "response": "<html>"}
    stage.acedata.fetches = [
        records(garbage, None, 7, finished("done"), refused, working("working"), finished("other"))
    ]
    names = ("done", "refused", "working", "missing", "garbage")
    made = dict(zip(names, await out(stage, *names), strict=True))
    await ask(stage)
    assert {name: (await stage.now(job)).status for name, job in made.items()} == {
        "done": "succeeded",
        "refused": "failed",
        "working": "running",
        "missing": "pending",  # within its grace
        "garbage": "pending",
    }
    assert (await stage.now(made["refused"])).error == {"code": "forbidden", "message": "no"}
    assert len(stage.receiver.posts) == 2


async def test_only_what_the_provider_does_not_know_is_lost_never_what_could_not_be_read(stage: Stage) -> None:
    garbage = {"id": "garbage", "finished_at": 3.0, "response": "<html>"}

    def answers(request: httpx.Request) -> httpx.Response:
        asked_for = json.loads(request.content)
        if asked_for["action"] == "retrieve_batch":
            return httpx.Response(200, json={"items": [garbage, working("working")]})
        return httpx.Response(200, json=garbage if asked_for["id"] == "garbage" else working("working"))

    stage.acedata.fetches = [answers]
    names = ("working", "missing", "garbage")
    made = await out(stage, *names)
    stage.time.now += GRACE
    await ask(stage, MINUTE)
    assert [(await stage.now(job)).status for job in made] == ["running", "lost", "pending"]


@pytest.mark.parametrize(
    "trouble",
    [
        says(500, {"error": {"code": "api_error", "message": "x"}}),
        says(200, {"items": None}),
        says(200, []),
        breaks(httpx.ReadTimeout("…")),
        breaks(httpx.ConnectError("refused")),
    ],
    ids=["an error", "no items", "no object", "no answer", "not reached"],
)
async def test_a_call_that_fails_says_nothing_about_any_job(stage: Stage, trouble: Step) -> None:
    stage.acedata.fetches = [trouble, trouble, records(finished("a"), finished("b"))]
    made = await out(stage, "a", "b")
    stage.time.now += GRACE
    await ask(stage, 500)
    assert [(await stage.now(job)).status for job in made] == ["pending", "pending"]
    await ask(stage, 10 * SECOND)
    assert [(await stage.now(job)).status for job in made] == ["succeeded", "succeeded"]
    assert len(stage.acedata.fetched) == 3
