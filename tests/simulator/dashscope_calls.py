"""A client of DashScope's calls, as thin as can be."""

from typing import Any

import httpx2 as httpx

ROOT = "/dashscope/api/v1"
SUBMIT = f"{ROOT}/services/aigc/text2image/image-synthesis"
ASYNC = {"x-dashscope-async": "enable"}


async def submit(
    client: httpx.AsyncClient,
    prompt: str = "a fox",
    *,
    model: str = "flux-schnell",
    path: str = SUBMIT,
    **parameters: Any,
) -> httpx.Response:
    body = {"model": model, "input": {"prompt": prompt}, "parameters": parameters}
    return await client.post(path, json=body, headers=ASYNC)


async def submitted(client: httpx.AsyncClient, prompt: str = "a fox", **options: Any) -> str:
    answer = await submit(client, prompt, **options)
    assert answer.status_code == 200, answer.text
    assert answer.json()["output"]["task_status"] == "PENDING"
    task_id: str = answer.json()["output"]["task_id"]
    return task_id


async def fetched(client: httpx.AsyncClient, task_id: str) -> dict[str, Any]:
    answer = await client.get(f"{ROOT}/tasks/{task_id}")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    assert body.pop("request_id")
    return body


def is_error(answer: httpx.Response, status: int, code: str) -> bool:
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json()) == {"code", "message", "request_id"}
    return (answer.status_code, answer.json()["code"]) == (status, code)
