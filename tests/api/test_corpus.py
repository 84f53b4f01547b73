"""What is not a callback, on a good token: 400, kept raw with the verdict `invalid`, and the job unmoved."""

import base64

import pytest
from builders import pending

from .corpus import NOT_A_CALLBACK, NOT_JSON
from .stage import Stage, finished, problem

pytestmark = pytest.mark.anyio

BAD = NOT_JSON | NOT_A_CALLBACK | {"nothing": b"", "bytes": bytes(range(256))}

RUNNING = b'"output": {"task_id": "task-1", "task_status": "RUNNING"}'
ODD = {
    "2^63": b'{"usage": {"image_count": 9223372036854775808}, "output": {"task_status": "SUCCEEDED", "results": []}}',
    "a NUL in a message": b'{"output": {"task_status": "FAILED", "code": "a\\u0000b", "message": "\\u0000"}}',
    "a NUL in a URL": b'{"output": {"task_status": "SUCCEEDED", "results": [{"url": "https://i.example/\\u0000"}]}}',
    "a NUL in a key": b'{"\\u0000": 1, ' + RUNNING + b"}",
    "4,000 digits": b'{"seed": ' + b"9" * 4_000 + b", " + RUNNING + b"}",
}
"""Odd, and yet readable."""


@pytest.mark.parametrize("provider", ["dashscope", "acedata"])
async def test_it_is_kept_raw_as_invalid_and_answered_400(both: Stage, provider: str) -> None:
    model = {"dashscope": "flux-schnell", "acedata": "flux-kontext-pro"}[provider]
    for name, body in BAD.items():
        job = await both.submit(model=model, provider=provider)
        path = both.callback_path(job["id"], provider)
        answer = await both.anyone.post(path, content=body, headers={"content-type": "application/json"})
        problem(answer, 400, "bad-callback")
        [kept] = await both.ids("/v1/callbacks", job_id=job["id"])
        callback = await both.get(f"/v1/callbacks/{kept}")
        assert callback["verdict"] == "invalid", name
        raw = callback["body_base64"]
        assert (callback["body"].encode() if raw is None else base64.b64decode(raw)) == body, name
        assert (callback["body"] is None) == (raw is not None), name
        assert await both.get(f"/v1/jobs/{job['id']}") == job
    assert await both.ids("/v1/notifications") == []


async def test_what_is_odd_and_readable_is_taken(both: Stage) -> None:
    for name, body in ODD.items():
        job = await both.submit()
        answer = await both.calls_back(job["id"], body)
        assert answer.status_code == 200, name
        assert set(answer.json()) == {"verdict"}
        told = await both.client.get(f"/v1/jobs/{job['id']}")
        assert told.status_code == 200, name
        assert "\\u0000" not in told.text, name


async def test_another_task_id_is_refused(both: Stage) -> None:
    job = await pending(both.ledger, "task-1")
    problem(await both.calls_back(job, finished("task-2")), 400, "bad-callback")
    assert (await both.get(f"/v1/jobs/{job.id}"))["status"] == "pending"
    assert (await both.get("/v1/callbacks"))["data"][0]["verdict"] == "invalid"
