"""Bodies that are not read at all: too large, encoded, of the wrong kind, not JSON."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2 as httpx
import pytest
from builders import count, queued

from ledger.schema import callbacks, jobs

from .corpus import NOT_JSON
from .stage import BASE, ORDER, Stage, problem

pytestmark = pytest.mark.anyio

LIMIT = 1024 * 1024
JSON = {"content-type": "application/json"}


async def test_what_is_not_json_is_400_and_nothing_is_recorded(stage: Stage) -> None:
    for name, body in NOT_JSON.items():
        answer = await stage.client.post("/v1/jobs", content=body, headers=JSON)
        document = problem(answer, 400, "bad-json")
        assert "errors" not in document, name
    assert await count(stage.ledger, jobs) == 0


async def test_an_empty_body_is_an_empty_object(stage: Stage) -> None:
    document = problem(await stage.client.post("/v1/jobs"), 422, "invalid")
    assert {error["pointer"] for error in document["errors"]} == {"/model", "/input"}


async def test_only_json_without_an_encoding_is_read(stage: Stage) -> None:
    body = json.dumps(ORDER).encode()
    refused: list[dict[str, str]] = [
        {"content-type": kind}
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "image/png")
    ]
    refused += [
        JSON | {"content-encoding": coding} for coding in ("gzip", "br", "deflate", "identity, gzip", "nothing")
    ]
    for path in await _addresses(stage):
        for headers in refused:
            problem(await stage.client.post(path, content=body, headers=headers), 415, "unsupported-media-type")
    accepted: list[dict[str, str]] = [
        {"content-type": kind}
        for kind in (
            "application/json; charset=utf-8",
            "Application/JSON",
            "text/json",
            "application/vnd.mine+json",
            "",
        )
    ]
    for headers in [*accepted, {}, JSON | {"content-encoding": "identity"}]:
        answer = await stage.client.post("/v1/jobs", content=body, headers=headers)
        assert answer.status_code == 202, headers


async def test_a_body_over_the_limit_is_413_however_it_comes(stage: Stage) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(LIMIT // 65_536):
            yield b" " * 65_536
        yield b"x"

    over: list[tuple[str, Callable[[], Any], dict[str, str]]] = [
        ("declared", lambda: b" " * (LIMIT + 1), {}),
        ("declared and not sent", lambda: b"", {"content-length": str(LIMIT + 1)}),
        ("declared beyond reason", lambda: b"", {"content-length": "9" * 5_000}),
        ("chunked", chunks, {}),
        ("lying", chunks, {"content-length": "10"}),
        ("declared as nonsense", chunks, {"content-length": "²"}),
    ]
    for path in await _addresses(stage):
        for name, content, headers in over:
            raw = [(key.encode(), value.encode("latin-1")) for key, value in (JSON | headers).items()]
            answer = await stage.client.post(path, content=content(), headers=raw)
            document = problem(answer, 413, "too-large")
            assert str(LIMIT) in document["detail"], name
            assert answer.headers["connection"] == "close", name
    assert await count(stage.ledger, callbacks) == 0


async def test_a_body_at_the_limit_is_read(stage: Stage) -> None:
    body = json.dumps(ORDER).encode().ljust(LIMIT)
    assert (await stage.client.post("/v1/jobs", content=body, headers=JSON)).status_code == 202


async def test_a_client_that_hangs_up_gets_no_job(stage: Stage) -> None:
    messages = iter([{"type": "http.request", "body": b'{"mo', "more_body": True}, {"type": "http.disconnect"}])
    sent: list[Any] = []

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message)

    request = httpx.Request("POST", f"{BASE}/v1/jobs", headers=stage.client.headers)
    scope = {"type": "http", "method": "POST", "path": "/v1/jobs", "query_string": b"", "headers": request.headers.raw}
    scope["headers"] = [(name.lower(), value) for name, value in request.headers.raw]
    await stage.app(scope, receive, send)
    assert sent[0]["status"] == 400
    assert await count(stage.ledger, jobs) == 0


async def _addresses(stage: Stage) -> list[str]:
    job = await queued(stage.ledger)
    return ["/v1/jobs", "/v1/subscribers", stage.callback_path(job)]
