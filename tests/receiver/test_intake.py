"""`POST /callbacks/{token}`: what comes in, what is answered, and what is remembered of it."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2 as httpx
import pytest
from builders import FakeClock, pending, rows
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ledger import jobs
from ledger.clock import HOUR, MINUTE
from ledger.errors import Overloaded, Unavailable
from ledger.keys import SecretKeys
from ledger.ledger import Ledger, open_database
from ledger.schema import callbacks
from ledger.tokens import CallbackTokens
from providers import PROVIDERS
from receiver.intake import Intake
from receiver.problems import Problem
from tests.dispatcher.broken import Broken

pytestmark = pytest.mark.anyio

MAX_BODY = 2_000
KEYS = SecretKeys(["a secret key for tests"])


@dataclass
class House:
    """A receiver on a ledger; `wakes` has how many writes were under way at each wake."""

    ledger: Ledger
    clock: FakeClock
    tokens: CallbackTokens
    http: httpx.AsyncClient
    database: Broken
    wakes: list[int]

    async def post(self, body: Any, job_id: str, provider: str = "dashscope", **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {"content-type": "application/json"} | {name.replace("_", "-"): text for name, text in headers.items()}
        return await self.http.post(f"/callbacks/{self.tokens.mint(job_id, provider)}", content=content, headers=named)


@pytest.fixture
async def house(anyio_backend: str, migrated: None, sqlite_url: str) -> AsyncIterator[House]:
    clock = FakeClock()
    database = Broken(await open_database(sqlite_url))
    ledger = Ledger(database, clock=clock)
    tokens = CallbackTokens(KEYS, clock)
    wakes: list[int] = []
    intake = Intake(ledger, tokens, PROVIDERS, max_body=MAX_BODY, wake=lambda: wakes.append(database.writing))

    async def problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return error.response()

    routes = [Route("/callbacks/{token}", intake.receive, methods=["POST"])]
    app = Starlette(routes=routes, exception_handlers={Problem: problem})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://receiver.test") as http:
        yield House(ledger, clock, tokens, http, database, wakes)
    await ledger.close()


def task(status: str, task_id: str = "task-1", url: str = "https://images.example/1.png") -> dict[str, Any]:
    return {"output": {"task_id": task_id, "task_status": status, "results": [{"url": url}]}, "request_id": "r-1"}


async def test_each_verdict_has_its_answer(house: House) -> None:
    job = await pending(house.ledger)
    other = task("SUCCEEDED", url="https://images.example/2.png")
    told = [
        (task("RUNNING"), 200, "progress"),
        (task("SUCCEEDED", task_id="task-9"), 400, "invalid"),
        (b"<html>", 400, "invalid"),
        (task("SUCCEEDED"), 200, "accepted"),
        (task("SUCCEEDED", url="https://images.example/1.png?signed=again"), 200, "duplicate"),
        (other, 200, "conflicting"),
        (task("FAILED"), 200, "conflicting"),
        (task("RUNNING"), 200, "progress"),
    ]
    for body, status, verdict in told:
        answer = await house.post(body, job.id)
        assert answer.status_code == status, verdict
        if status == 200:
            assert answer.json() == {"verdict": verdict}
        else:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["type"] == "urn:postback:problem:bad-callback"
    assert [row.verdict for row in await rows(house.ledger, callbacks)] == [verdict for _, _, verdict in told]
    now = await house.ledger.read(jobs.get, job.id)
    assert now.status == "succeeded"
    assert now.results is not None
    assert now.results[0]["url"] == "https://images.example/1.png"


async def test_the_raw_callback_is_kept_without_our_token(house: House) -> None:
    job = await pending(house.ledger)
    token = house.tokens.mint(job.id, "dashscope")
    body = json.dumps(task("SUCCEEDED") | {"echo": f"https://us.test/callbacks/{token}", "灯": "塔"}).encode()
    answer = await house.post(body, job.id, x_echo=f"/callbacks/{token}", x_trace="abc")
    assert answer.status_code == 200
    row = (await rows(house.ledger, callbacks))[0]
    assert row.body == body.replace(token.encode(), b"[callback token]")
    assert row.headers["x-echo"] == "/callbacks/[callback token]"
    assert row.headers["x-trace"] == "abc"
    assert row.job_id == job.id
    assert row.task_id == "task-1"
    assert row.received_at == house.clock.now


async def test_repeated_headers_are_joined(house: House) -> None:
    job = await pending(house.ledger)
    url = f"/callbacks/{house.tokens.mint(job.id, 'dashscope')}"
    headers = [("X-Trace", "one"), ("x-trace", "two"), ("X-Latin", "caf\xe9")]
    raw = [(name.encode(), text.encode("latin-1")) for name, text in headers]
    await house.http.post(url, content=json.dumps(task("RUNNING")).encode(), headers=raw)
    kept = (await rows(house.ledger, callbacks))[0].headers
    assert (kept["x-trace"], kept["x-latin"]) == ("one, two", "caf\xe9")


async def test_every_bad_token_gets_the_same_answer(house: House) -> None:
    job = await pending(house.ledger)
    good = house.tokens.mint(job.id, "dashscope")
    strangers = CallbackTokens(SecretKeys(["another secret key here"]), house.clock)
    ahead = CallbackTokens(KEYS, FakeClock(house.clock.now + 6 * MINUTE))
    bad = [
        "nonsense",
        good[:-43] + ("A" if good[-43] != "A" else "B") + good[-42:],  # 43 characters are the signature
        good.replace(".", "", 1),
        strangers.mint(job.id, "dashscope"),
        ahead.mint(job.id, "dashscope"),
        house.tokens.mint(job.id, "acedata"),
        house.tokens.mint(job.id, "nobody"),
        house.tokens.mint("job_00000000000000000000000000", "dashscope"),
    ]
    answers = []
    for token in bad:
        content = json.dumps(task("SUCCEEDED")).encode()
        answers.append(await house.http.post(f"/callbacks/{token}", content=content))
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    assert await rows(house.ledger, callbacks) == []
    assert house.wakes == []


async def test_a_token_is_good_as_long_as_its_job_is_kept(house: House) -> None:
    job = await pending(house.ledger)
    token = house.tokens.mint(job.id, "dashscope")
    house.clock.advance(90 * 24 * HOUR)
    answer = await house.http.post(f"/callbacks/{token}", content=json.dumps(task("SUCCEEDED")).encode())
    assert answer.status_code == 200


@pytest.mark.parametrize("ahead", [2_000, 5 * MINUTE])
async def test_a_clock_a_little_ahead_is_forgiven(house: House, ahead: int) -> None:
    job = await pending(house.ledger)
    token = CallbackTokens(KEYS, FakeClock(house.clock.now + ahead)).mint(job.id, "dashscope")
    answer = await house.http.post(f"/callbacks/{token}", content=json.dumps(task("SUCCEEDED")).encode())
    assert answer.status_code == 200


@pytest.mark.parametrize("error", [Unavailable("the disk is full"), Overloaded("too many writes are waiting")])
async def test_what_cannot_be_stored_is_to_be_sent_again(house: House, error: Exception) -> None:
    job = await pending(house.ledger)
    house.database.error = error
    answer = await house.post(task("SUCCEEDED"), job.id)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["type"] == "urn:postback:problem:unavailable"
    assert house.wakes == []
    house.database.error = None
    assert (await house.post(task("SUCCEEDED"), job.id)).json() == {"verdict": "accepted"}


async def test_a_body_may_be_as_long_as_the_limit_and_no_longer(house: House) -> None:
    job = await pending(house.ledger)
    short = json.dumps(task("RUNNING")).encode()
    exact = short + b" " * (MAX_BODY - len(short))
    assert (await house.post(exact, job.id)).status_code == 200
    answer = await house.post(exact + b" ", job.id)
    assert answer.status_code == 413
    assert answer.headers["connection"] == "close"
    assert len(await rows(house.ledger, callbacks)) == 1


async def test_a_stream_without_a_length_is_cut_at_the_limit(house: House) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 1_000

    job = await pending(house.ledger)
    url = f"/callbacks/{house.tokens.mint(job.id, 'dashscope')}"
    assert (await house.http.post(url, content=endless())).status_code == 413


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content_type": "application/json; charset=utf-8"}, 200),
        ({"content_type": "application/cloudevents+json"}, 200),
        ({"content_type": ""}, 200),
        ({"content_encoding": "identity"}, 200),
        ({"content_type": "text/html"}, 415),
        ({"content_type": "application/x-www-form-urlencoded"}, 415),
        ({"content_encoding": "gzip"}, 415),
    ],
)
async def test_only_plain_json_is_read(house: House, headers: dict[str, str], status: int) -> None:
    job = await pending(house.ledger)
    assert (await house.post(task("RUNNING"), job.id, **headers)).status_code == status


async def test_it_wakes_after_the_commit(house: House) -> None:
    job = await pending(house.ledger)
    assert house.wakes == []
    for body in (task("RUNNING"), b"<html>", task("SUCCEEDED")):
        await house.post(body, job.id)
    assert house.wakes == [0, 0, 0]


async def test_only_post(house: House) -> None:
    job = await pending(house.ledger)
    url = f"/callbacks/{house.tokens.mint(job.id, 'dashscope')}"
    assert (await house.http.get(url)).status_code == 405
