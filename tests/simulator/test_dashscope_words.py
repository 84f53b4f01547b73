"""What each word of a prompt does at DashScope."""

import httpx2 as httpx
import pytest

from .dashscope_calls import ROOT, fetched, is_error, submit, submitted
from .stage import Clock

pytestmark = pytest.mark.anyio


async def test_delay(client: httpx.AsyncClient, clock: Clock) -> None:
    task_id = await submitted(client, "[delay=5m]")
    clock.time += 299
    assert (await fetched(client, task_id))["output"]["task_status"] == "RUNNING"
    clock.time += 1
    assert (await fetched(client, task_id))["output"]["task_status"] == "SUCCEEDED"


@pytest.mark.parametrize(
    ("prompt", "model", "code"),
    [
        ("[fail]", "flux-dev", "InternalError.Algo"),
        ("[fail=DataInspectionFailed]", "flux-dev", "DataInspectionFailed"),
        ("a fox", "sim-fail", "InternalError.Algo"),
        ("[partial=4]", "flux-dev", "InternalError.Timeout"),
    ],
)
async def test_failure(client: httpx.AsyncClient, clock: Clock, prompt: str, model: str, code: str) -> None:
    task_id = await submitted(client, prompt, model=model, n=4)
    clock.time += 2
    body = await fetched(client, task_id)
    assert "usage" not in body
    assert (body["output"]["task_status"], body["output"]["code"]) == ("FAILED", code)
    assert body["output"]["message"]
    assert body["output"]["task_metrics"] == {"TOTAL": 4, "SUCCEEDED": 0, "FAILED": 4}


async def test_partial_failure(client: httpx.AsyncClient, clock: Clock) -> None:
    task_id = await submitted(client, "[partial=1]", model="stable-diffusion-3.5-large", n=4)
    clock.time += 2
    body = await fetched(client, task_id)
    assert body["output"]["task_status"] == "SUCCEEDED"
    assert [sorted(item) for item in body["output"]["results"]] == [["url"]] * 3 + [["code", "message"]]
    assert len({item["url"] for item in body["output"]["results"][:3]}) == 3
    assert body["output"]["task_metrics"] == {"TOTAL": 4, "SUCCEEDED": 3, "FAILED": 1}
    assert body["usage"] == {"image_count": 3}


@pytest.mark.parametrize(
    ("word", "status"), [("suspend", "SUSPENDED"), ("successed", "SUCCESSED"), ("vanish", "UNKNOWN")]
)
async def test_odd_statuses(client: httpx.AsyncClient, clock: Clock, word: str, status: str) -> None:
    task_id = await submitted(client, f"[{word}]")
    seen = [(await fetched(client, task_id))["output"]["task_status"]]
    for _ in range(2):
        clock.time += 1
        seen.append((await fetched(client, task_id))["output"]["task_status"])
    assert status in seen
    assert seen[1] == "RUNNING"


async def test_empty(client: httpx.AsyncClient, clock: Clock) -> None:
    task_id = await submitted(client, "[empty]")
    clock.time += 2
    output = (await fetched(client, task_id))["output"]
    assert (output["task_status"], output["results"]) == ("SUCCEEDED", [])


async def test_throttle_is_by_prompt(client: httpx.AsyncClient) -> None:
    answers = [await submit(client, "[throttle=2] a fox") for _ in range(3)]
    assert is_error(answers[0], 429, "Throttling.RateQuota")
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert (await submit(client, "[throttle=2] a cat")).status_code == 429


@pytest.mark.parametrize(
    ("word", "status", "code"),
    [
        ("[error=500]", 500, "InternalError"),
        ("[error=503]", 503, "ModelUnavailable"),
        ("[error=429:PrepaidBillOverdue]", 429, "PrepaidBillOverdue"),
    ],
)
async def test_error(client: httpx.AsyncClient, word: str, status: int, code: str) -> None:
    for _ in range(2):
        assert is_error(await submit(client, word), status, code)
    assert (await client.get(f"{ROOT}/tasks")).json()["total"] == 0


async def test_html(client: httpx.AsyncClient) -> None:
    answer = await submit(client, "[html=502]")
    assert answer.status_code == 502
    assert answer.headers["content-type"].startswith("text/html")
