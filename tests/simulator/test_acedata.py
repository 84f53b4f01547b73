"""AceData's calls and callbacks, on a clock of our own."""

import json
from typing import Any

import anyio
import httpx2 as httpx
import pytest

from postback.simulator.app import create_app
from postback.simulator.world import World

from .stage import BASE, CALLBACK_URL, KEY, Catcher, Clock

pytestmark = pytest.mark.anyio

IMAGES = "/acedata/flux/images"
TASKS = "/acedata/flux/tasks"


async def submit(client: httpx.AsyncClient, prompt: str = "a fox", **more: Any) -> httpx.Response:
    body = {"action": "generate", "prompt": prompt, "model": "flux-dev", "callback_url": CALLBACK_URL, **more}
    return await client.post(IMAGES, json={name: value for name, value in body.items() if value is not None})


async def submitted(client: httpx.AsyncClient, prompt: str = "a fox", **more: Any) -> str:
    answer = await submit(client, prompt, **more)
    assert answer.status_code == 200, answer.text
    task_id: str = answer.json()["task_id"]
    return task_id


async def retrieved(client: httpx.AsyncClient, task_id: str) -> dict[str, Any]:
    answer = await client.post(TASKS, json={"action": "retrieve", "id": task_id})
    assert answer.status_code == 200, answer.text
    record: dict[str, Any] = answer.json()
    return record


def is_error(answer: httpx.Response, status: int, code: str) -> bool:
    body = answer.json()
    assert set(body) == {"success", "error", "trace_id"}
    assert body["success"] is False
    return (answer.status_code, body["error"]["code"]) == (status, code)


async def test_a_callback_follows_an_immediate_answer(client: httpx.AsyncClient, catcher: Catcher) -> None:
    answer = await submit(client, "一只狐狸", count=2)
    task_id = answer.json()["task_id"]
    assert answer.json() == {"task_id": task_id}
    (body,) = await catcher.bodies(1)
    assert (body["success"], body["task_id"]) == (True, task_id)
    assert [item["prompt"] for item in body["data"]] == ["一只狐狸"] * 2
    assert body["data"][1]["seed"] == body["data"][0]["seed"] + 1
    assert body["data"][0]["timings"] == {"inference": 1.5}
    assert (await client.get(body["data"][0]["image_url"])).headers["content-type"] == "image/png"
    assert catcher.headers[0]["content-type"] == "application/json"
    assert not [name for name in catcher.headers[0] if "signature" in name]


async def test_other_services_stand_beside_flux(client: httpx.AsyncClient, catcher: Catcher) -> None:
    body = {"action": "edit", "prompt": "a fox", "model": "nano-banana", "image_urls": ["https://images.example/1.png"]}
    answer = await client.post("/acedata/nano-banana/images", json={**body, "callback_url": CALLBACK_URL})
    task_id = answer.json()["task_id"]
    (result,) = await catcher.bodies(1)
    assert (result["success"], result["task_id"], len(result["data"])) == (True, task_id, 1)
    record = await client.post("/acedata/nano-banana/tasks", json={"action": "retrieve", "id": task_id})
    assert record.json()["response"] == result


async def test_async_answers_with_a_task_id_and_calls_nobody(
    client: httpx.AsyncClient, catcher: Catcher, clock: Clock
) -> None:
    answer = await submit(client, callback_url=None, **{"async": True})
    task_id = answer.json()["task_id"]
    assert answer.json() == {"success": True, "task_id": task_id}
    pending = await retrieved(client, task_id)
    assert set(pending) == {"id", "request", "created_at"}
    clock.time += 1
    assert set(await retrieved(client, task_id)) == {"id", "request", "created_at", "started_at"}
    clock.time += 1
    record = await retrieved(client, task_id)
    assert record["response"]["success"] is True
    assert (record["finished_at"], record["elapsed"]) == (clock.time, 1.5)
    assert record["request"]["prompt"] == "a fox"
    batch = await client.post(TASKS, json={"action": "retrieve_batch", "ids": [task_id, "absent"]})
    assert batch.json() == {"items": [record], "count": 1}
    assert await retrieved(client, "absent") == {}
    assert catcher.caught == []


async def test_without_either_the_call_blocks(client: httpx.AsyncClient, clock: Clock) -> None:
    before = clock.time
    answer = await submit(client, callback_url=None)
    assert clock.time == before + 2
    assert answer.json()["data"][0]["image_url"].startswith("http://simulator.test/images/")
    failed = await submit(client, "[fail=used_up]", callback_url=None)
    assert (failed.status_code, failed.json()["error"]["code"]) == (403, "used_up")


@pytest.mark.parametrize("action", ["edit", "edits"])
async def test_an_edit_needs_an_image_and_makes_one(client: httpx.AsyncClient, action: str) -> None:
    answer = await submit(client, action=action, image_url="http://x.test/a.png", count=4, callback_url=None)
    assert len(answer.json()["data"]) == 1
    assert is_error(await submit(client, action=action), 400, "bad_request")


async def test_any_model_is_accepted(client: httpx.AsyncClient) -> None:
    assert (await submit(client, model="flux-9-imaginary")).status_code == 200
    assert (await submit(client, model=None)).status_code == 200


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"prompt": None}, "bad_request"),
        ({"prompt": 7}, "bad_request"),
        ({"prompt": "[delay=x]"}, "bad_request"),
        ({"action": "upscale"}, "api_not_implemented"),
        ({"count": 0}, "bad_request"),
        ({"count": True}, "bad_request"),
        ({"callback_url": "ftp://receiver.test"}, "bad_request"),
        ({"callback_url": 7}, "bad_request"),
    ],
)
async def test_bad_submissions(client: httpx.AsyncClient, more: dict[str, Any], code: str) -> None:
    assert is_error(await submit(client, **{"prompt": "a fox", **more}), 400, code)


@pytest.mark.parametrize("body", [b"{", b"{}", b'{"action":"retrieve"}', b'{"action":"retrieve_batch","ids":"x"}'])
async def test_bad_retrievals(client: httpx.AsyncClient, body: bytes) -> None:
    assert is_error(await client.post(TASKS, content=body), 400, "bad_request")


@pytest.mark.parametrize("path", [IMAGES, TASKS])
async def test_keys(client: httpx.AsyncClient, path: str) -> None:
    assert is_error(await client.post(path, json={}, headers={"authorization": ""}), 400, "no_token")
    assert is_error(await client.post(path, json={}, headers={"authorization": "Bearer bad"}), 401, "invalid_token")


async def test_there_is_no_other_api(client: httpx.AsyncClient) -> None:
    assert is_error(await client.post("/acedata/suno/audios", json={}), 404, "no_api")


async def test_another_accounts_task_is_not_found(client: httpx.AsyncClient) -> None:
    task_id = await submitted(client)
    body = {"action": "retrieve", "id": task_id}
    assert (await client.post(TASKS, json=body, headers={"authorization": "Bearer other"})).json() == {}


async def test_a_failing_job(client: httpx.AsyncClient, catcher: Catcher) -> None:
    await submitted(client, "[fail]")
    await submitted(client, "[partial=2]", count=2)
    for body in await catcher.bodies(2):
        assert body["success"] is False
        assert body["error"]["code"] == "api_error"
        assert "data" not in body


async def test_partial(client: httpx.AsyncClient, catcher: Catcher) -> None:
    await submitted(client, "[partial=1]", count=3)
    assert len((await catcher.bodies(1))[0]["data"]) == 2


async def test_empty(client: httpx.AsyncClient, catcher: Catcher) -> None:
    await submitted(client, "[empty]")
    (body,) = await catcher.bodies(1)
    assert (body["success"], body["data"]) == (True, [])


async def test_delay_and_late(client: httpx.AsyncClient, catcher: Catcher, clock: Clock) -> None:
    submitted_at = clock.time
    await submitted(client, "[delay=10s] [late=30s]")
    await catcher.bodies(1)
    assert catcher.caught[0][0] == submitted_at + 40


async def test_duplicate(client: httpx.AsyncClient, catcher: Catcher, world: World) -> None:
    task_id = await submitted(client, "[duplicate=3]")
    bodies = await catcher.bodies(3)
    assert bodies == [bodies[0]] * 3
    await until(lambda: world.stats.callbacks[task_id] == [200, 200, 200])


@pytest.mark.parametrize(("prompt", "told"), [("[conflict]", [True, False]), ("[conflict] [fail]", [False, True])])
async def test_conflict(client: httpx.AsyncClient, catcher: Catcher, prompt: str, told: list[bool]) -> None:
    await submitted(client, prompt)
    assert [body["success"] for body in await catcher.bodies(2)] == told


@pytest.mark.parametrize("word", ["nocallback", "vanish"])
async def test_no_callback(client: httpx.AsyncClient, catcher: Catcher, world: World, word: str) -> None:
    silent = await submitted(client, f"[{word}] [delay=0s]")
    spoken = await submitted(client)
    assert [body["task_id"] for body in await catcher.bodies(1)] == [spoken]
    record = await retrieved(client, silent)
    assert bool(record) is (word == "nocallback")
    assert world.stats.callbacks[silent] == []


async def test_early(client: httpx.AsyncClient, catcher: Catcher) -> None:
    answer = await submit(client, "[early]")
    assert [body["task_id"] for _, body in catcher.caught] == [answer.json()["task_id"]]


async def test_sync(client: httpx.AsyncClient, catcher: Catcher) -> None:
    answer = await submit(client, "[sync]")
    assert answer.json()["data"][0]["prompt"] == "[sync]"
    await submitted(client)
    assert len(await catcher.bodies(1)) == 1


async def test_throttle_error_and_html(client: httpx.AsyncClient, catcher: Catcher) -> None:
    assert is_error(await submit(client, "[throttle]"), 429, "too_many_requests")
    assert (await submit(client, "[throttle]")).status_code == 200
    assert is_error(await submit(client, "[error=500]"), 500, "api_error")
    assert is_error(await submit(client, "[error=403:used_up]"), 403, "used_up")
    assert (await submit(client, "[html=504]")).headers["content-type"].startswith("text/html")


async def test_the_receivers_answers_are_counted(client: httpx.AsyncClient, catcher: Catcher, world: World) -> None:
    catcher.answer = 503
    refused = await submitted(client)
    await until(lambda: world.stats.callbacks[refused] == [503])
    stats = (await client.get("/_simulator/stats")).json()["tasks"][refused]
    assert (stats["provider"], stats["callbacks"]) == ("acedata", [503])


async def test_enforced_rates(client: httpx.AsyncClient, world: World) -> None:
    world.submit_limit.rate, world.query_limit.rate = 1, 1
    asked = {"callback_url": None, "async": True}
    assert (await submit(client, **asked)).status_code == 200
    assert is_error(await submit(client, **asked), 429, "too_many_requests")
    await retrieved(client, "x")
    again = await client.post(TASKS, content=json.dumps({"action": "retrieve", "id": "x"}))
    assert is_error(again, 429, "too_many_requests")


async def test_waiting_callbacks_are_bounded_and_end_with_the_app(
    catcher: Catcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("postback.simulator.callbacks._MOST_WAITING", 2)
    app = create_app(World(delay=3600.0), httpx.MockTransport(catcher.receive))
    with anyio.fail_after(5):
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url=BASE, headers=KEY) as client:
                assert [(await submit(client)).status_code for _ in range(3)] == [200, 200, 429]
    assert catcher.caught == []


async def until(condition: Any) -> None:
    with anyio.fail_after(5):
        while not condition():
            await anyio.sleep(0)
