"""Load that does not wait for answers, from a process of its own: what is due is sent, answered or not.

What was refused is sent again later, as providers do; what was accepted is not.
"""

import asyncio
import resource
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf
from multiprocessing import get_context

TICK = 0.005
PATIENCE = 60.0
"""Seconds within which the last answers must have come."""


@dataclass
class Met:
    """What a surge met."""

    accepted: list[int] = field(default_factory=list)
    """Which requests were answered 2xx, by their number."""
    latencies: list[float] = field(default_factory=list)
    """Of those, in seconds from when each was due to be sent."""
    dues: list[float] = field(default_factory=list)
    """Of those, when each was due to be sent, in seconds of the monotonic clock."""
    statuses: Counter[int] = field(default_factory=Counter)
    unannounced: int = 0
    """503 without a Retry-After of a second or more."""
    cut: int = 0
    """Connections that were closed."""
    offered: float = 0.0
    """Requests that were sent, a second."""
    goodput: float = 0.0
    """Those answered 2xx, a second, up to the last of them."""

    @property
    def p99(self) -> float:
        """The latency that 99 of 100 accepted ones stay below, in seconds."""
        return sorted(self.latencies)[len(self.latencies) * 99 // 100]


@contextmanager
def generator() -> Iterator[Executor]:
    """The process, for `flood`."""
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        process.submit(_more_files).result()
        yield process


def flood(port: int, requests: Sequence[bytes], seconds: float, rate: float | None, clients: int) -> Met:
    """Sends for so many seconds and waits for the last answers: `rate` requests a second, over kept connections.

    Without a rate each connection sends when its last request was answered. Raises `TimeoutError`.
    """
    return asyncio.run(_Surge(port, requests, rate, clients).run(seconds))


def _more_files() -> None:
    """Each connection is one, and the usual limit is for people, not for servers."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (16_384 if most < 0 else most, most))


class _Surge:
    def __init__(self, port: int, requests: Sequence[bytes], rate: float | None, clients: int) -> None:
        self.met = Met()
        self._rate = rate
        self._port = port
        self._clients = clients
        self._requests = requests
        self._left = deque(range(len(requests)))
        self._idle: deque[_Client] = deque()
        self._due: deque[float] = deque()
        self._out = 0
        self._sent = 0
        self._last = inf
        self._over = True

    async def run(self, seconds: float) -> Met:
        loop = asyncio.get_running_loop()
        for _ in range(self._clients):
            await loop.create_connection(lambda: _Client(self), "127.0.0.1", self._port)
        self._over = False
        began = time.monotonic()
        while (passed := time.monotonic() - began) < seconds:
            more = int(passed * self._rate) - self._sent - len(self._due) if self._rate else len(self._idle)
            self._due.extend([began + passed] * more)
            self._send()
            await asyncio.sleep(TICK)
        self._over = True
        self.met.offered = self._sent / passed
        async with asyncio.timeout(PATIENCE):
            while self._out:
                await asyncio.sleep(TICK)
        for client in self._idle:
            client.close()
        self.met.goodput = len(self.met.accepted) / (self._last - began)
        return self.met

    def free(self, client: "_Client") -> None:
        """A connection has nothing to do."""
        self._idle.append(client)
        if self._over:
            return
        if self._rate is None:
            self._due.append(time.monotonic())
        self._send()

    def answered(self, client: "_Client", status: int, announced: bool) -> None:
        met = self.met
        met.statuses[status] += 1
        if 200 <= status < 300:
            met.accepted.append(client.number)
            self._last = time.monotonic()
            met.latencies.append(self._last - client.due)
            met.dues.append(client.due)
        else:
            self._left.append(client.number)
            met.unannounced += status == 503 and not announced
        self._out -= 1
        self.free(client)

    def lost(self, client: "_Client") -> None:
        """A connection ended that was not to end."""
        self.met.cut += 1
        if client in self._idle:
            self._idle.remove(client)
        else:
            self._out -= 1

    def _send(self) -> None:
        while self._due and self._idle and self._left:
            number = self._left.popleft()
            self._out += 1
            self._sent += 1
            self._idle.popleft().send(number, self._requests[number], self._due.popleft())


class _Client(asyncio.Protocol):
    """One connection: one request at a time."""

    def __init__(self, surge: _Surge) -> None:
        self.number = -1
        self.due = 0.0
        self._surge = surge
        self._buffer = b""
        self._closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._surge.free(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        if len(self._buffer) < end + 4 + _number(head, b"\r\ncontent-length:"):
            return
        self._buffer = b""
        self._surge.answered(self, int(head[9:12]), _number(head, b"\r\nretry-after:") >= 1)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._closed:
            self._surge.lost(self)

    def send(self, number: int, request: bytes, due: float) -> None:
        self.number, self.due = number, due
        self._transport.write(request)

    def close(self) -> None:
        self._closed = True
        self._transport.close()


def _number(head: bytes, name: bytes) -> int:
    return int(head.partition(name)[2].partition(b"\r\n")[0] or b"0")
