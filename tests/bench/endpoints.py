"""A hundred endpoints in a process of their own: each answers 204 at once, but for one that never answers."""

import asyncio
import json
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
HANGS = b"POST /hangs "


class Endpoint(asyncio.Protocol):
    """One connection. Latencies, in seconds, run from the `sent` of a notification's data to its last byte."""

    latencies: list[float] = []  # noqa: RUF012 - one for all connections

    def __init__(self) -> None:
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (request := self._next()) is not None:
            head, body = request
            if head.startswith(HANGS):
                return
            self.latencies.append(time.monotonic() - float(json.loads(body)["data"]["sent"]))
            self._transport.write(ANSWER)

    def _next(self) -> tuple[bytes, bytes] | None:
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return None
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(rest) < length:
            return None
        self._buffer = rest[length:]
        return head, rest[:length]


@dataclass
class Endpoints:
    """The running process."""

    port: int
    _pipe: Connection = field(repr=False)

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/{name}"

    def take(self) -> list[float]:
        """The latencies since the last call."""
        self._pipe.send("take")
        found: list[float] = self._pipe.recv()
        return found


@contextmanager
def endpoints() -> Iterator[Endpoints]:
    """Starts them, and stops them at the end."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_run, args=(theirs,), daemon=True)
    process.start()
    try:
        yield Endpoints(ours.recv(), ours)
    finally:
        process.terminate()
        process.join(5)


def _run(pipe: Connection) -> None:
    asyncio.run(_serve(pipe))


async def _serve(pipe: Connection) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Endpoint, "127.0.0.1", 0, backlog=1_000)
    pipe.send(server.sockets[0].getsockname()[1])

    def asked() -> None:
        pipe.recv()
        pipe.send(Endpoint.latencies.copy())
        Endpoint.latencies.clear()

    loop.add_reader(pipe.fileno(), asked)
    await server.serve_forever()
