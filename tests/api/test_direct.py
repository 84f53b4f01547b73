"""Callbacks that the application sees nothing of: answered as it would, in turn, and whatever happens meanwhile."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from builders import count, pending
from structlog.testing import capture_logs

from ledger import jobs
from ledger.errors import Unavailable
from ledger.job import Job
from ledger.schema import callbacks
from postback.house import House, open_house
from postback.inbound import BoundedProtocol
from postback.serve import listen, serving
from tests.samples.table import SAMPLES

from .corpus import NOT_A_CALLBACK, NOT_JSON
from .stage import FRONT, finished, settings

pytestmark = pytest.mark.anyio

HEALTH = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
CLOSE = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
DONE = json.dumps(finished()).encode()
RUNNING = json.dumps({"output": {"task_id": "task-1", "task_status": "RUNNING"}}).encode()
UNUSUAL = {
    "HTTP/1.0": lambda wire: wire.replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n"),
    "to be closed": lambda wire: wire.replace(b"host: x\r\n", b"host: x\r\nconnection: close\r\n"),
    "asking first": lambda wire: wire.replace(b"host: x\r\n", b"host: x\r\nexpect: 100-continue\r\n"),
    "encoded": lambda wire: wire.replace(b"/callbacks/", b"/%63allbacks/"),
    "with a query": lambda wire: wire.replace(b" HTTP/1.1", b"?a=b HTTP/1.1"),
    "201 headers": lambda wire: wire.replace(b"host: x\r\n", b"host: x\r\n" + b"x-a: b\r\n" * 201),
    "64 KiB of headers": lambda wire: wire.replace(b"host: x\r\n", b"host: x\r\nx-a: %s\r\n" % (b"a" * 65_536)),
    "another type": lambda wire: wire.replace(b"application/json", b"text/plain"),
    "compressed": lambda wire: wire.replace(b"host: x\r\n", b"host: x\r\ncontent-encoding: gzip\r\n"),
    "another token": lambda wire: wire.replace(b"/callbacks/W", b"/callbacks/w"),
    "too long": lambda wire: wire.replace(b"content-length: %d" % len(DONE), b"content-length: 9999999"),
}
"""Callbacks that the application has to answer."""


class Quick(BoundedProtocol):
    """Counts the requests that the application gets."""

    passed = 0

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        type(self).passed += not self._owed  # until then it waits
        super()._start_asgi_task(cycle, app)


async def until(met: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not met():
            await asyncio.sleep(0.01)


@dataclass
class Server:
    house: House
    port: int
    stop: Callable[[], Awaitable[None]]
    connections: Callable[[], Collection[Any]]

    async def callback(self, job: Job | None = None, body: bytes = DONE, *more: bytes) -> bytes:
        """A callback on the wire, of a new job if none is given, with more lines in its head."""
        job = job or await pending(self.house.ledger)
        path = f"/callbacks/{self.house.tokens.mint(job.id, job.provider)}".encode()
        head = [b"POST %s HTTP/1.1" % path, b"host: x", b"content-type: application/json"]
        return b"\r\n".join([*head, b"content-length: %d" % len(body), *more, b"", body])

    async def connect(self) -> "Client":
        return Client(*await asyncio.open_connection("127.0.0.1", self.port))

    async def answers(self, *pieces: bytes) -> list[httpx.Response]:
        """All answers to these bytes, up to the end of the connection."""
        client = await self.connect()
        for piece in pieces:
            client.writer.write(piece)
            await client.writer.drain()
            await asyncio.sleep(0)
        return await client.rest()


@dataclass
class Client:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def one(self) -> httpx.Response:
        """The next answer."""
        head = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 20)).decode("latin-1")
        line, *fields = head.rstrip().split("\r\n")
        headers = httpx.Headers([tuple(field.split(": ", 1)) for field in fields])
        body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return httpx.Response(int(line.split()[1]), headers=headers, content=body)

    async def rest(self) -> list[httpx.Response]:
        said = []
        try:
            while not self.reader.at_eof():
                said.append(await self.one())
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        self.writer.close()
        return [answer for answer in said if answer.status_code != 100]


@pytest.fixture
async def server(anyio_backend: str, tmp_path: Path, sqlite_url: str) -> AsyncIterator[Server]:
    Quick.passed = 0
    with listen("127.0.0.1", 0) as listening:
        house = await open_house(settings(tmp_path, sqlite_url), FRONT)
        async with serving(house, listening, Quick) as uvicorn:
            task = asyncio.create_task(uvicorn.serve(sockets=[listening]))

            async def stop() -> None:
                uvicorn.should_exit = True
                await asyncio.wait_for(asyncio.shield(task), 30)

            yield Server(house, listening.getsockname()[1], stop, lambda: list(uvicorn.server_state.connections))
            await stop()


def shape(answer: httpx.Response) -> tuple[Any, ...]:
    """What is the same however a callback is answered."""
    kept = {name: text for name, text in answer.headers.items() if name not in ("date", "connection")}
    return answer.status_code, kept, answer.content


BODIES = {sample.name: sample.body for sample in SAMPLES} | NOT_JSON | NOT_A_CALLBACK


@pytest.mark.parametrize("name", BODIES)
async def test_each_body_is_answered_and_stored_as_by_the_application(server: Server, name: str) -> None:
    """Whose job is another one each time, and what it names is not its task: so each has a verdict of its own."""
    wires = [await server.callback(None, BODIES[name]), await server.callback(None, BODIES[name], b"connection: close")]
    direct, *_ = await server.answers(wires[0], CLOSE)
    passed = Quick.passed
    (by_application,) = await server.answers(wires[1])
    assert (passed, Quick.passed) == (1, 2)
    assert shape(direct) == shape(by_application)
    assert "date" in direct.headers
    stored = await server.house.ledger.read(lambda connection: connection.execute(callbacks.select()).all())
    assert len({(row.verdict, row.body, row.task_id) for row in stored}) == 1
    first, second = ({**row.headers, "connection": ""} for row in stored)
    assert first == second


@pytest.mark.parametrize("how", UNUSUAL)
async def test_what_is_unusual_is_left_to_the_application(server: Server, how: str) -> None:
    wire = UNUSUAL[how](await server.callback())
    client = await server.connect()
    client.writer.write(wire)
    answer = await client.one()
    if answer.status_code == 100:
        answer = await client.one()
    client.writer.close()
    expected = {"201 headers": 431, "64 KiB of headers": 431, "another type": 415, "compressed": 415,
                "another token": 404, "too long": 413}  # fmt: skip
    assert answer.status_code == expected.get(how, 200)
    assert Quick.passed == 1


async def test_answers_come_in_the_order_of_the_requests(server: Server) -> None:
    wires = [await server.callback(), HEALTH, await server.callback(), await server.callback(None, b"{"), CLOSE]
    answers = await server.answers(b"".join(wires))
    assert [answer.status_code for answer in answers] == [200, 200, 200, 400, 200]
    assert [answer.json().get("verdict") for answer in answers] == ["accepted", None, "accepted", None, None]
    assert Quick.passed == 4, "those that came before an answer"


async def test_a_connection_is_good_for_many_and_pieces_are_put_together(server: Server) -> None:
    job = await pending(server.house.ledger)
    wire, client = await server.callback(job, RUNNING), await server.connect()
    for pieces in ([wire], [wire[:30], wire[30:-5], wire[-5:]], [bytes([one]) for one in wire]):
        for piece in pieces:
            client.writer.write(piece)
            await client.writer.drain()
        assert (await client.one()).json() == {"verdict": "progress"}
    client.writer.close()
    assert Quick.passed == 0
    assert await count(server.house.ledger, callbacks) == 3


async def test_who_leaves_before_the_answer_has_told_us_all_the_same(server: Server) -> None:
    job = await pending(server.house.ledger)
    client = await server.connect()
    client.writer.write(await server.callback(job))
    await client.writer.drain()
    client.writer.transport.abort()
    async with asyncio.timeout(20):
        while (await server.house.ledger.read(jobs.get, job.id)).status != "succeeded":
            await asyncio.sleep(0.01)
    assert [answer.status_code for answer in await server.answers(CLOSE)] == [200]


async def test_a_server_that_stops_answers_first(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, release = asyncio.Event(), asyncio.Event()
    real = type(server.house.ledger).write

    async def slow(*given: Any, **named: Any) -> Any:
        begun.set()
        await release.wait()
        return await real(*given, **named)

    client = await server.connect()
    monkeypatch.setattr(type(server.house.ledger), "write", slow)
    client.writer.write(await server.callback(await pending_with(server, real)))
    await begun.wait()
    stopping = asyncio.ensure_future(server.stop())
    await asyncio.sleep(0.2)
    assert not stopping.done()
    release.set()
    (answer,) = await client.rest()
    assert (answer.status_code, answer.headers["connection"]) == (200, "close")
    await stopping


async def pending_with(server: Server, write: Any) -> Job:
    """A job, written although writing is slow."""

    class Quickly:
        def __getattr__(self, name: str) -> Any:
            return getattr(server.house.ledger, name)

        async def write(self, *given: Any, **named: Any) -> Any:
            return await write(server.house.ledger, *given, **named)

    return await pending(Quickly())  # type: ignore[arg-type]


async def test_a_server_that_stops_waits_for_a_body_that_is_coming(server: Server) -> None:
    wire, client = await server.callback(), await server.connect()
    client.writer.write(wire[:-10])
    await client.writer.drain()
    await until(lambda: any(connection._taken for connection in server.connections()))
    stopping = asyncio.ensure_future(server.stop())
    await until(lambda: not any(connection._kept for connection in server.connections()))
    client.writer.write(wire[-10:])
    (answer,) = await client.rest()
    assert (answer.status_code, answer.headers["connection"]) == (200, "close")
    await stopping


@pytest.mark.parametrize("size", [1, 50, 100_000])
async def test_a_wish_for_another_protocol_is_declined_and_the_body_read(server: Server, size: int) -> None:
    """Java's own client asks for HTTP/2 with its first request."""
    wishes = b"connection: Upgrade, HTTP2-Settings", b"upgrade: h2c", b"http2-settings: AAMAAABkAAQAAP__"
    wires = [await server.callback(None, DONE, *wishes), await server.callback(None, b"GET / HTTP/1.1", *wishes), CLOSE]
    together = b"".join(wires)
    answers = await server.answers(*(together[start : start + size] for start in range(0, len(together), size)))
    assert [answer.status_code for answer in answers] == [200, 400, 200]
    stored = await server.house.ledger.read(lambda connection: connection.execute(callbacks.select()).all())
    assert [(row.verdict, row.body) for row in stored] == [("accepted", DONE), ("invalid", b"GET / HTTP/1.1")]
    assert {row.headers["upgrade"] for row in stored} == {"h2c"}


@pytest.mark.parametrize("wire", ["callbacks", "health"])
async def test_who_sends_many_and_reads_no_answers_is_not_read_on(server: Server, wire: str) -> None:
    many = (await server.callback(None, RUNNING) if wire == "callbacks" else HEALTH) * 40_000
    client, most = await server.connect(), 0
    client.writer.transport.set_write_buffer_limits(len(many))
    client.reader._limit = 1  # type: ignore[attr-defined]
    client.writer.write(many)
    for _ in range(300):
        await asyncio.sleep(0.001)
        most = max([most, *(len(connection.pipeline) for connection in server.connections())])
    client.writer.transport.abort()
    assert 0 < most * len(many) / 40_000 < 600_000


@pytest.mark.parametrize(
    ("error", "status", "event"),
    [(Unavailable("it is away"), 503, "callback_not_stored"), (RuntimeError("a bug"), 500, "unexpected")],
)
async def test_what_fails_is_said_and_the_connection_stays_good(
    server: Server, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, event: str
) -> None:
    wire = await server.callback()

    def fails(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr("ledger.accept.accept", fails)
    with capture_logs() as lines:
        answers = await server.answers(wire, CLOSE)
    assert [answer.status_code for answer in answers] == [status, 200]
    assert answers[0].headers["content-type"] == "application/problem+json"
    assert ("retry-after" in answers[0].headers) is (status == 503)
    assert event in [line["event"] for line in lines]
    assert wire.split()[1].decode() not in repr(lines)
    monkeypatch.undo()
    assert [answer.status_code for answer in await server.answers(wire, CLOSE)] == [200, 200], "it can be sent again"


async def test_a_connection_that_asks_nothing_more_is_closed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Quick, "timeout_keep_alive", property(lambda self: 0.2, lambda self, value: None), False)
    client = await server.connect()
    client.writer.write(await server.callback())
    assert (await client.one()).status_code == 200
    assert await asyncio.wait_for(client.reader.read(), 20) == b""
    client.writer.close()


async def test_what_comes_along_with_a_callback_has_no_more_time_for_it(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Quick, "HEAD_SECONDS", 0.3)
    answers = await server.answers(await server.callback() + b"GET /heal")
    assert [answer.status_code for answer in answers] == [200], "and then the connection ends"


async def test_a_callback_of_nobody_is_counted_once(server: Server) -> None:
    wire = (await server.callback()).replace(b"/callbacks/W", b"/callbacks/w")
    before = refusals(server.house)
    await server.answers(wire, CLOSE)
    assert refusals(server.house) == before + 1


def refusals(house: House) -> float:
    lines: Sequence[str] = house.metrics.text(None).decode().splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith('postback_callbacks_total{verdict="ref'))
