"""Overload: what is refused, with what, and that the connection is good afterwards."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from ledger.turns import Turns
from postback import inbound
from postback.house import House, open_house
from postback.serve import listen, serving
from postback.shedding import BURST, LOG_SECONDS, LONGEST, PATIENCE, RATE, RETRY_SECONDS, STANDING, Limit, Shedding
from receiver.direct import Prepared

from .stage import FRONT, settings

HEALTH = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
CALLBACK = b"POST /callbacks/x HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n%s\r\n"
FEW = 3
BODY = b"G" * 9


class Wait:
    """How long one would have to wait, and what time it is."""

    seconds = 0.0
    now = 100.0


@pytest.fixture
def wait() -> Wait:
    return Wait()


@pytest.fixture
def shedding(wait: Wait) -> Shedding:
    return Shedding({b"/callbacks/": lambda: wait.seconds, b"/v1/jobs": lambda: 0.0}, lambda: wait.now)


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as lines:
        yield lines


def test_a_burst_may_wait_longer_than_a_queue_that_stands() -> None:
    limit = Limit()
    assert not limit.refuses(BURST, 0)
    assert limit.refuses(BURST + 0.1, PATIENCE / 2)
    assert not limit.refuses(STANDING + 0.1, PATIENCE / 2), "it is being worked off"
    assert limit.refuses(STANDING + 0.1, PATIENCE), "it is not"
    assert not limit.refuses(STANDING, 10 * PATIENCE)
    assert limit.refuses(STANDING + 0.1, 10 * PATIENCE), "a shorter queue still stands"
    assert not limit.refuses(0, 20 * PATIENCE)
    assert not limit.refuses(BURST, 20 * PATIENCE), "the next burst is one again"


def test_only_what_would_wait_is_refused(shedding: Shedding, wait: Wait) -> None:
    assert shedding.take(b"POST", b"/callbacks/token", []) is None
    wait.seconds = 10
    assert shedding.take(b"POST", b"/callbacks/token", []) is not None
    for method, target in ((b"GET", b"/callbacks/x"), (b"POST", b"/v1/jobs"), (b"POST", b"/v1/subscribers")):
        assert shedding.take(method, target, []) is None


def test_a_refusal_says_when_to_come_back_and_not_to_all_the_same(shedding: Shedding, wait: Wait) -> None:
    wait.seconds = 10
    for seconds in RETRY_SECONDS:
        answers: list[Prepared] = []
        wait.now += 1 / RATE
        taken = shedding.take(b"POST", b"/callbacks/token", [])
        assert taken is not None
        taken.end(answers.append)
        answer = b"".join(answers[0])
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert b"\r\nretry-after: %d" % seconds in head
        assert b"\r\ncontent-length: %d\r\n" % len(body) in head
        assert b"urn:postback:problem:unavailable" in body


@pytest.mark.anyio
async def test_refusals_are_answered_in_turn_and_none_waits_for_long(
    shedding: Shedding, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait.seconds = 10
    delays: list[float] = []
    monkeypatch.setattr(
        asyncio.get_running_loop(), "call_later", lambda seconds, end, answer: (delays.append(seconds), end(answer))
    )
    many = int(2 * RATE * LONGEST)
    answers: list[Prepared] = []
    for _ in range(many):
        taken = shedding.take(b"POST", b"/callbacks/token", [])
        assert taken is not None
        taken.end(answers.append)
    assert len(answers) == many
    assert delays == pytest.approx([min(number / RATE, LONGEST) for number in range(1, many)])
    wait.now += 2 * LONGEST
    taken = shedding.take(b"POST", b"/callbacks/token", [])
    assert taken is not None
    taken.end(answers.append)
    assert len(delays) == many - 1, "all have had their turns, so this one is answered at once"


def test_the_log_has_one_line_a_second(shedding: Shedding, wait: Wait, lines: list[Any]) -> None:
    wait.seconds = 10
    for _ in range(100):
        shedding.take(b"POST", b"/callbacks/token", [])
    wait.now += LOG_SECONDS
    shedding.take(b"POST", b"/callbacks/token", [])
    assert [(line["event"], line["refused"]) for line in lines] == [("overloaded", 1), ("overloaded", 100)]


@pytest.fixture
async def house(anyio_backend: str, tmp_path: Path, sqlite_url: str) -> House:
    return await open_house(settings(tmp_path, sqlite_url), FRONT)


@pytest.fixture
async def port(house: House, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    monkeypatch.setattr(inbound, "MAX_CONNECTIONS", FEW)
    with listen("127.0.0.1", 0) as listening:
        async with serving(house, listening) as server:
            task = asyncio.create_task(server.serve(sockets=[listening]))
            yield listening.getsockname()[1]
            server.should_exit = True
            await asyncio.wait_for(task, 30)


@pytest.fixture
def overloaded(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Turns, "wait", lambda self, waiting: 10.0)


async def said(port: int, *sent: bytes) -> list[str]:
    """The status lines and `connection: close` that come for this, each piece sent after a pause, until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in sent:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0)
    answer = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    return [line for line in answer.decode().split("\r\n") if "HTTP/1.1 " in line]


CLOSE = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
KEPT = {
    "in one piece": (CALLBACK % b"" + BODY + CLOSE,),
    "in pieces": (CALLBACK % b"", BODY[:4], BODY[4:], CLOSE),
    "two and one that is not refused": (2 * (CALLBACK % b"" + BODY) + HEALTH + CLOSE,),
    "chunked": (
        CALLBACK.replace(b"content-length: 9", b"transfer-encoding: chunked") % b""
        + b"9\r\n"
        + BODY
        + b"\r\n0\r\n\r\n",
        CLOSE,
    ),
}


@pytest.mark.anyio
@pytest.mark.usefixtures("overloaded")
@pytest.mark.parametrize("how", KEPT)
async def test_the_body_of_a_refused_request_is_not_taken_for_the_next_one(port: int, how: str) -> None:
    answers = await said(port, *KEPT[how])
    refused = b"".join(KEPT[how]).count(b"POST ")
    asked = b"".join(KEPT[how]).count(b"GET ")
    assert [line.split("HTTP/1.1 ")[1][:3] for line in answers] == ["503"] * refused + ["200"] * asked


@pytest.mark.anyio
@pytest.mark.usefixtures("overloaded")
@pytest.mark.parametrize("header", [b"connection: close\r\n", b"expect: 100-continue\r\nconnection: close\r\n"])
async def test_who_wants_the_connection_closed_or_asks_first_is_answered(port: int, header: bytes) -> None:
    answers = await said(port, CALLBACK % header, BODY)
    # Who asks first goes on to the application, which knows no such token.
    assert answers[0].startswith("HTTP/1.1 404" if b"expect" in header else "HTTP/1.1 503")


@pytest.mark.anyio
async def test_one_connection_too_many_is_closed_and_the_next_has_room_again(port: int) -> None:
    held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(FEW)]
    for reader, writer in held:
        writer.write(HEALTH)
        assert (await asyncio.wait_for(reader.readline(), 5)).startswith(b"HTTP/1.1 200")
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with contextlib.suppress(ConnectionError):
        assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()
    held.pop()[1].close()
    async with asyncio.timeout(10):
        while not (answers := await _tried(port)):
            await asyncio.sleep(0.01)
    assert answers == ["HTTP/1.1 200 OK"]
    for _, writer in held:
        writer.close()


async def _tried(port: int) -> list[str]:
    try:
        return await said(port, CLOSE)
    except ConnectionError:
        return []
