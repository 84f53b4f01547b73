"""DashScope's calls, word for word, on a clock of our own."""

from typing import Any

import httpx2 as httpx
import pytest

from postback.simulator.world import World

from .dashscope_calls import ASYNC, ROOT, SUBMIT, fetched, is_error, submit, submitted
from .stage import Clock

pytestmark = pytest.mark.anyio


async def test_a_job_from_submission_to_oblivion(client: httpx.AsyncClient, clock: Clock) -> None:
    task_id = await submitted(client, "a fox", seed=42)
    assert await fetched(client, task_id) == {
        "output": {"task_id": task_id, "task_status": "PENDING", "submit_time": "2024-06-14 14:30:00.000"}
    }
    clock.time += 1
    running = (await fetched(client, task_id))["output"]
    assert running["task_status"] == "RUNNING"
    assert running["scheduled_time"] == "2024-06-14 14:30:00.500"
    assert running["task_metrics"] == {"TOTAL": 1, "SUCCEEDED": 0, "FAILED": 0}
    clock.time += 1
    done = await fetched(client, task_id)
    assert done["usage"] == {"image_count": 1}
    assert done["output"]["task_status"] == "SUCCEEDED"
    assert done["output"]["end_time"] == "2024-06-14 14:30:02.000"
    assert done["output"]["task_metrics"] == {"TOTAL": 1, "SUCCEEDED": 1, "FAILED": 0}
    assert done == await fetched(client, task_id)
    image = await client.get(done["output"]["results"][0]["url"])
    assert image.content.startswith(b"\x89PNG\r\n")
    clock.time += 24 * 3600
    assert await fetched(client, task_id) == {"output": {"task_id": task_id, "task_status": "UNKNOWN"}}
    await submitted(client, "another")
    assert list((await client.get("/_simulator/stats")).json()["tasks"]) != [task_id]


async def test_an_absent_task_and_another_accounts_task_are_unknown(client: httpx.AsyncClient) -> None:
    task_id = await submitted(client)
    other = await client.get(f"{ROOT}/tasks/{task_id}", headers={"authorization": "Bearer sk-other"})
    assert other.json()["output"]["task_status"] == "UNKNOWN"
    assert (await fetched(client, "nonsense"))["output"]["task_status"] == "UNKNOWN"


@pytest.mark.parametrize("authorization", ["", "Bearer ", "Bearer bad-key", "Basic abc"])
async def test_a_bad_key_is_refused_everywhere(client: httpx.AsyncClient, authorization: str) -> None:
    headers = {"authorization": authorization, **ASYNC}
    for method, path in (
        ("POST", SUBMIT),
        ("GET", f"{ROOT}/tasks/x"),
        ("POST", f"{ROOT}/tasks/x/cancel"),
        ("GET", f"{ROOT}/tasks"),
    ):
        assert is_error(await client.request(method, path, headers=headers), 401, "InvalidApiKey")


async def test_a_synchronous_submission_is_refused(client: httpx.AsyncClient) -> None:
    assert is_error(await client.post(SUBMIT, json={"model": "flux-dev"}), 403, "AccessDenied")


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"model":1}', b'{"model":"flux-dev","input":{"prompt":"[delay=x]"}}']
)
async def test_a_bad_body_is_refused(client: httpx.AsyncClient, body: bytes) -> None:
    assert is_error(await client.post(SUBMIT, content=body, headers=ASYNC), 400, "InvalidParameter")


async def test_a_model_must_be_known_and_on_its_own_path(client: httpx.AsyncClient) -> None:
    unknown = await submit(client, model="stable-diffusion-v9")
    assert is_error(unknown, 400, "InvalidParameter")
    assert unknown.json()["message"] == "Model not exist."
    misplaced = await submit(client, model="wan2.5-i2i-preview")
    assert is_error(misplaced, 400, "InvalidParameter")
    assert misplaced.json()["message"] == "url error, please check url!"


@pytest.mark.parametrize(("prompt", "parameters"), [("", {}), ("a fox", {"n": 9}), ("a fox", {"n": "4"})])
async def test_bad_parameters_fail_later(
    client: httpx.AsyncClient, clock: Clock, prompt: str, parameters: dict[str, Any]
) -> None:
    task_id = await submitted(client, prompt, **parameters)
    clock.time += 2
    assert (await fetched(client, task_id))["output"]["code"] == "InvalidParameter"


@pytest.mark.parametrize(
    ("service", "model", "where"),
    [
        ("aigc/image2image/image-synthesis", "wan2.5-i2i-preview", lambda output: output["results"][0]["url"]),
        (
            "aigc/image-generation/generation",
            "wan2.6-t2i",
            lambda output: output["choices"][0]["message"]["content"][0]["image"],
        ),
        ("aigc/video-generation/video-synthesis", "wan2.5-t2v-preview", lambda output: output["video_url"]),
        ("aigc/image2video/video-synthesis", "wan2.2-kf2v-flash", lambda output: output["video_url"]),
    ],
)
async def test_each_path_has_its_own_place_for_results(
    client: httpx.AsyncClient, clock: Clock, service: str, model: str, where: Any
) -> None:
    messages = [{"role": "user", "content": [{"text": "a fox [delay=1s]"}]}]
    body = {"model": model, "input": {"prompt": "a fox [delay=1s]", "messages": messages}}
    answer = await client.post(f"{ROOT}/services/{service}/", json=body, headers=ASYNC)
    clock.time += 1
    output = (await fetched(client, answer.json()["output"]["task_id"]))["output"]
    assert (await client.get(where(output))).status_code == 200


async def test_trailing_slashes_and_leaked_parameters_are_accepted(client: httpx.AsyncClient) -> None:
    answer = await submit(client, "[cancelable]", path=SUBMIT + "/")
    task_id = answer.json()["output"]["task_id"]
    fetch = await client.get(f"{ROOT}/tasks/{task_id}/", params={"size": "1024*1024"})
    assert fetch.json()["output"]["task_status"] == "PENDING"
    cancel = await client.post(f"{ROOT}/tasks/{task_id}/cancel/", json={"model": "", "input": {}})
    assert (cancel.status_code, set(cancel.json())) == (200, {"request_id"})
    assert (await client.get(f"{ROOT}/tasks/")).json()["total"] == 1


async def test_only_pending_tasks_can_be_canceled(client: httpx.AsyncClient, clock: Clock) -> None:
    task_id = await submitted(client, "[cancelable]")
    clock.time += 59
    assert (await client.post(f"{ROOT}/tasks/{task_id}/cancel")).status_code == 200
    clock.time += 10
    output = (await fetched(client, task_id))["output"]
    assert (output["task_status"], output["end_time"]) == ("CANCELED", "2024-06-14 14:30:59.000")
    running = await submitted(client)
    clock.time += 1
    for refused in (task_id, running, "absent"):
        assert is_error(await client.post(f"{ROOT}/tasks/{refused}/cancel"), 400, "UnsupportedOperation")


async def test_the_list(client: httpx.AsyncClient, clock: Clock) -> None:
    first = await submitted(client, "one")
    clock.time += 60
    second = await submitted(client, "two", model="flux-dev")
    clock.time += 1
    body = (await client.get(f"{ROOT}/tasks", params={"page_no": 1, "page_size": 1})).json()
    assert body.pop("request_id")
    assert body == {
        "total": 2,
        "data": [
            {
                "task_id": second,
                "status": "RUNNING",
                "gmt_create": 1718346660000,
                "user_api_unique_key": "apikey:v1:aigc:text2image:image-synthesis:flux-dev",
                "start_time": 1718346660500,
            }
        ],
        "total_page": 2,
        "page_no": 1,
        "page_size": 1,
    }
    for query, expected in (
        ({"page_no": 2, "page_size": 1}, [first]),
        ({"model_name": "flux-dev"}, [second]),
        ({"status": "SUCCEEDED"}, [first]),
        ({"start_time": "20240614143030"}, [second]),
        ({"end_time": "20240614143030"}, [first]),
        ({"start_time": "20240614143000", "end_time": "20240614143100"}, [second, first]),
    ):
        rows = (await client.get(f"{ROOT}/tasks", params=query)).json()["data"]
        assert [row["task_id"] for row in rows] == expected, query
    assert rows[1]["end_time"] == 1718346602000
    other = await client.get(f"{ROOT}/tasks", headers={"authorization": "Bearer sk-other"})
    assert other.json()["total"] == 0


@pytest.mark.parametrize(
    "query",
    [
        {"page_size": "101"},
        {"page_no": "0"},
        {"start_time": "yesterday"},
        {"start_time": "20240614000000", "end_time": "20240615000001"},
        {"start_time": "20240614000001", "end_time": "20240614000000"},
    ],
)
async def test_a_bad_list_query_is_refused(client: httpx.AsyncClient, query: dict[str, str]) -> None:
    assert is_error(await client.get(f"{ROOT}/tasks", params=query), 400, "InvalidParameter")


async def test_enforced_rates(client: httpx.AsyncClient, world: World, clock: Clock) -> None:
    world.submit_limit.rate, world.query_limit.rate = 2, 3
    answers = [(await submit(client)).status_code for _ in range(3)]
    assert answers == [200, 200, 429]
    assert (await submit(client, model="flux-dev")).status_code == 200
    queries = [(await client.get(f"{ROOT}/tasks/x")).status_code for _ in range(3)]
    queries.append((await client.get(f"{ROOT}/tasks")).status_code)
    assert queries == [200, 200, 200, 429]
    assert (await client.get(f"{ROOT}/tasks", headers={"authorization": "Bearer sk-other"})).status_code == 200
    clock.time += 1
    assert (await submit(client)).status_code == 200
    stats = (await client.get("/_simulator/stats")).json()
    assert stats["throttled"] == 2
    assert stats["per_second"]["dashscope.query"] == {"1718346600": 5}
    assert stats["per_second"]["dashscope.submit"] == {"1718346600": 4, "1718346601": 1}
    assert stats["submissions"] == {"dashscope": {"a fox": 5}}


async def test_stats_of_a_task(client: httpx.AsyncClient) -> None:
    task_id = await submitted(client)
    await fetched(client, task_id)
    await fetched(client, task_id)
    assert (await client.get("/_simulator/stats")).json()["tasks"][task_id] == {
        "provider": "dashscope",
        "model": "flux-schnell",
        "prompt": "a fox",
        "status": "PENDING",
        "submissions": 1,
        "fetches": 2,
        "callbacks": [],
    }
