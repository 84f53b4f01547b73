"""Load over loopback: kept connections that each send their next request when the last one was answered."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast


@dataclass
class Load:
    """What one run of requests met: the seconds it took, those of each answer, and how many had each status."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds


class Client(asyncio.Protocol):
    """One connection. It takes requests until there are none left, and `ended` tells of it."""

    def __init__(self, requests: Iterator[bytes], load: Load) -> None:
        self._requests = requests
        self._load = load
        self._buffer = b""
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found or len(rest) < _length(head):
            return
        self._load.latencies.append(time.perf_counter() - self._sent)
        self._load.statuses[int(head[9:12])] += 1
        self._buffer = b""
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_exception(ConnectionError("the server closed a connection"))

    def _send(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self.ended.set_result(None)
            self._transport.close()
            return
        self._sent = time.perf_counter()
        self._transport.write(request)


async def flood(port: int, requests: Sequence[bytes], clients: int = 64) -> Load:
    """Sends all requests, each client one at a time. Raises `ConnectionError`."""
    load = Load()
    left = iter(requests)
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    made = [loop.create_connection(lambda: Client(left, load), "127.0.0.1", port) for _ in range(clients)]
    connections = await asyncio.gather(*made)
    await asyncio.gather(*(client.ended for _, client in connections))
    load.seconds = time.perf_counter() - started
    return load


def request(path: str, body: bytes) -> bytes:
    """A POST of JSON, as bytes."""
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
    return head.encode("ascii") + b"\r\n\r\n" + body


def _length(head: bytes) -> int:
    return int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or b"0")
