"""Endpoints in a process of their own, as many as there are paths: they answer 204, at once unless the path says else.

`/hangs` never answers; `/after/N/…` answers after N milliseconds, and what comes for it is kept and counted; of what
comes for `/times` only the times are kept, and for `/told` which job it tells of.
"""

import asyncio
import json
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import cast

import uvloop

ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
HANGS = b"POST /hangs "
AFTER = b"POST /after/"
TIMES = b"POST /times "
TOLD = b"POST /told "


@dataclass
class Seen:
    """What came for the endpoints that take their time: each request with its path, its `webhook-id` and when, in
    seconds of the monotonic clock; and how many were open at once, in all and at each path."""

    arrivals: list[tuple[str, str, float]] = field(default_factory=list)
    most_open: int = 0
    most_open_at: Counter[str] = field(default_factory=Counter)


class Endpoint(asyncio.Protocol):
    """One connection. Latencies, in seconds, run from the `sent` of a notification's data to its last byte."""

    latencies: list[float] = []  # noqa: RUF012 - one for all connections
    times: list[float] = []  # noqa: RUF012
    told: list[tuple[bytes, float]] = []  # noqa: RUF012
    seen = Seen()
    open: Counter[str] = Counter()  # noqa: RUF012

    def __init__(self) -> None:
        self._buffer = b""
        self._path = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (request := self._next()) is not None:
            head, body = request
            if head.startswith(HANGS):
                return
            if head.startswith(AFTER):
                self._begin(head)
                return
            if head.startswith(TOLD):
                self.told.append((body, time.monotonic()))
                self._transport.write(ANSWER)
                continue
            if head.startswith(TIMES):
                self.times.append(time.monotonic())
                self._transport.write(ANSWER)
                continue
            self.latencies.append(time.monotonic() - float(json.loads(body)["data"]["sent"]))
            self._transport.write(ANSWER)

    def _begin(self, head: bytes) -> None:
        """Nothing else comes on this connection before the answer."""
        self._path = head.split(b" ")[1].decode()
        delivery = head.lower().partition(b"\r\nwebhook-id: ")[2].partition(b"\r\n")[0].decode()
        seen = self.seen
        seen.arrivals.append((self._path, delivery, time.monotonic()))
        self.open[self._path] += 1
        seen.most_open = max(seen.most_open, self.open.total())
        seen.most_open_at[self._path] = max(seen.most_open_at[self._path], self.open[self._path])
        asyncio.get_running_loop().call_later(int(self._path.split("/")[2]) / 1_000, self._answer)

    def _answer(self) -> None:
        if self._path:
            self._end()
            self._transport.write(ANSWER)

    def _end(self) -> None:
        if self._path:
            self.open[self._path] -= 1
            self._path = ""

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

    def count(self) -> int:
        """How many requests came for those that take their time, since `look` was last called."""
        self._pipe.send("count")
        found: int = self._pipe.recv()
        return found

    def times(self) -> list[float]:
        """When each request for `/times` came, in seconds of the monotonic clock, since the last call."""
        self._pipe.send("times")
        found: list[float] = self._pipe.recv()
        return found

    def told(self) -> dict[str, float]:
        """Of which jobs `/told` heard since the last call, and when first, in seconds of the monotonic clock."""
        self._pipe.send("told")
        found: list[tuple[bytes, float]] = self._pipe.recv()
        return {json.loads(body)["data"]["id"]: at for body, at in reversed(found)}

    def look(self) -> Seen:
        """What came for those that take their time, since the last call."""
        self._pipe.send("look")
        found: Seen = self._pipe.recv()
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
    uvloop.run(_serve(pipe))


async def _serve(pipe: Connection) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Endpoint, "127.0.0.1", 0, backlog=1_000)
    pipe.send(server.sockets[0].getsockname()[1])

    def asked() -> None:
        try:
            question = pipe.recv()
        except EOFError:
            os._exit(0)  # whoever started us was killed
        match question:
            case "take":
                pipe.send(Endpoint.latencies.copy())
                Endpoint.latencies.clear()
            case "times":
                pipe.send(Endpoint.times.copy())
                Endpoint.times.clear()
            case "told":
                pipe.send(Endpoint.told.copy())
                Endpoint.told.clear()
            case "count":
                pipe.send(len(Endpoint.seen.arrivals))
            case "look":
                pipe.send(Endpoint.seen)
                Endpoint.seen = Seen()

    loop.add_reader(pipe.fileno(), asked)
    os.set_blocking(pipe.fileno(), True)  # uvloop made it otherwise, and then an answer may be too long for it
    await server.serve_forever()
