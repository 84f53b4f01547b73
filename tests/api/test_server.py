"""What only a real server meets: bodies that lie about their length, floods of headers, clients that hang up."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from builders import count, queued
from structlog.testing import capture_logs

from ledger.schema import callbacks, jobs
from postback.house import House, open_house
from postback.serve import listen, serving

from .stage import API_KEY, FRONT, settings

pytestmark = pytest.mark.anyio

LIMIT = 1024 * 1024
GET = "GET /healthz HTTP/1.1\r\nhost: x\r\n"
CHUNKS = [b"10000\r\n" + b" " * 0x10000 + b"\r\n"] * 17
HANG_UPS = 1_000
AT_ONCE = 50


@dataclass(frozen=True)
class Server:
    """A real server on a loopback port. `lines` is what we logged since it began; `path` takes a job's callbacks."""

    house: House
    port: int
    path: str
    lines: Sequence[object]

    async def send(self, *pieces: bytes | str) -> int:
        """The status that the server answers these bytes with."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        with contextlib.suppress(ConnectionError):  # it may answer and close before it has read all
            for piece in pieces:
                writer.write(piece.encode() if isinstance(piece, str) else piece)
                await writer.drain()
        line = await asyncio.wait_for(reader.readline(), 20)
        writer.transport.abort()
        return int(line.split()[1])

    async def hang_up(self, *pieces: bytes | str) -> None:
        """Sends these bytes and is gone."""
        _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(b"".join(piece.encode() if isinstance(piece, str) else piece for piece in pieces))
        await writer.drain()
        writer.transport.abort()

    def heads(self) -> list[str]:
        """The beginnings of a request for a new job and of a callback, to be completed."""
        key = f"authorization: Bearer {API_KEY}\r\n"
        return [
            f"POST {path} HTTP/1.1\r\nhost: x\r\n{key}content-type: application/json\r\n"
            for path in ("/v1/jobs", self.path)
        ]


@pytest.fixture
async def server(anyio_backend: str, tmp_path: Path, sqlite_url: str) -> AsyncIterator[Server]:
    with listen("127.0.0.1", 0) as listening:
        house = await open_house(settings(tmp_path, sqlite_url), FRONT)
        job = await queued(house.ledger)
        async with serving(house, listening) as uvicorn:
            task = asyncio.create_task(uvicorn.serve(sockets=[listening]))
            with capture_logs() as lines:
                path = f"/callbacks/{house.tokens.mint(job.id, job.provider)}"
                yield Server(house, listening.getsockname()[1], path, lines)
            uvicorn.should_exit = True
            await asyncio.wait_for(task, 30)


async def test_a_body_over_the_limit_is_413_and_one_that_lies_is_400(server: Server) -> None:
    for head in server.heads():
        assert await server.send(f"{head}content-length: {LIMIT + 1}\r\n\r\n") == 413
        assert await server.send(f"{head}transfer-encoding: chunked\r\n\r\n", *CHUNKS) == 413
        for lie in ("-1", "x", "9" * 100, "3\r\ncontent-length: 4", "3\r\ntransfer-encoding: chunked"):
            assert await server.send(f"{head}content-length: {lie}\r\n\r\n0\r\n\r\n") == 400, lie
    assert await count(server.house.ledger, callbacks) == 0
    assert await count(server.house.ledger, jobs) == 1


async def test_headers_without_end_are_431(server: Server) -> None:
    for head in [*server.heads(), GET]:
        assert await server.send(head, "x-big: ", "x" * LIMIT, "\r\n\r\n") == 431
        assert await server.send(head, "".join(f"x-{number}: 1\r\n" for number in range(20_000)), "\r\n") == 431
    assert await server.send(GET, "x-big: ", "x" * 60_000, "\r\n\r\n") == 200
    assert await server.send(GET, "".join(f"x-{number}: 1\r\n" for number in range(190)), "\r\n") == 200
    assert await count(server.house.ledger, callbacks) == 0


async def test_what_is_not_http_is_400(server: Server) -> None:
    for nonsense in (b"\x16\x03\x01\x00\r\n\r\n", "GET\r\n\r\n"):
        assert await server.send(nonsense) == 400
    assert await server.send("GET /" + "x" * LIMIT + " HTTP/1.1\r\n\r\n") == 431


async def test_1000_clients_that_hang_up_in_mid_body_leave_nothing(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    pieces = [f"{head}content-length: 1000\r\n\r\n{{" for head in server.heads()]
    for _ in range(HANG_UPS // AT_ONCE):
        await asyncio.gather(*(server.hang_up(pieces[number % 2]) for number in range(AT_ONCE)))
    assert await server.send(GET, "\r\n") == 200
    assert await count(server.house.ledger, callbacks) == 0
    assert await count(server.house.ledger, jobs) == 1
    assert len(server.lines) + len(caplog.records) <= HANG_UPS
    assert not any(line["log_level"] == "error" for line in server.lines)
    assert server.path not in caplog.text + str(server.lines)
