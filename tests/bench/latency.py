"""From a callback's POST to the subscriber's: idle, and at half of what the server can accept.

One server with the roles receiver and forwarder. Time runs from when the callback was due to be sent to when the
notification had come to the subscriber, and is that of all callbacks of a load. The bare POST is one to a Starlette app
that reads the body and answers 202, by the same client, from when it was due to be sent to its answer.
"""

import asyncio
import resource
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from e2e.eventually import eventually

from .endpoints import Endpoints, endpoints
from .line import Line, at_most, compare, in_turn, percentile
from .programs import postback, program
from .size import Size
from .stock import Owed, expecting, unexpected
from .surge import Met, flood, generator

IDLE = 50
"""Callbacks a second at which each finds the server with nothing to do."""
MOST = 7_000
"""Callbacks a second that are kept ready: a load for which they do not last is a shorter one."""
PATIENCE = 60.0
CLIENTS = 64
WHAT = "callback POST to subscriber POST"


def lines(size: Size) -> list[Line]:
    """Idle to one bare POST, and half of capacity to idle."""
    with ExitStack() as stack:
        process = stack.enter_context(generator())
        bare = stack.enter_context(program("bare_receiver"))
        wires = unexpected(int(IDLE * size.seconds) + CLIENTS)
        count = int(size.seconds * (1 + rounds_of(size)) * MOST)
        passage = stack.enter_context(passing(process, count))
        half = passage.capacity(size.seconds / 2) / 2
        rounds = in_turn(
            rounds_of(size),
            bare=lambda: process.submit(flood, bare, wires, size.seconds, IDLE, CLIENTS).result().latencies,
            ours=lambda: passage.latencies(IDLE, size.seconds),
            half=lambda: passage.latencies(half, size.seconds),
            again=lambda: passage.latencies(IDLE, size.seconds),
            half_again=lambda: passage.latencies(half, size.seconds),
        )
    post = "limit: one bare loopback POST"
    return [
        compare(f"{WHAT}, idle, p50", post, at_most(10), rounds, "bare", figure=p50, measured_in="ms"),
        compare(f"{WHAT}, idle, p99", post, at_most(30), rounds, "bare", figure=p99, measured_in="ms"),
        compare(
            f"{WHAT}, at half of what 64 clients get accepted ({half:.0f} a second), p99",
            "limit: the same, idle",
            at_most(10),
            rounds,
            "ours",
            of="half",
            again="half_again",
            figure=p99,
            measured_in="ms",
        ),
    ]


def rounds_of(size: Size) -> int:
    """Loads last long: three rounds of them are as much as fits."""
    return min(3, size.rounds)


def p50(latencies: list[float]) -> float:
    """In milliseconds."""
    return percentile(latencies, 0.5) * 1_000


def p99(latencies: list[float]) -> float:
    """In milliseconds."""
    return percentile(latencies, 0.99) * 1_000


@dataclass
class Passage:
    """A server that accepts callbacks and tells one subscriber. `owed` are the callbacks that have not come yet."""

    port: int
    pid: int
    there: Endpoints
    process: Executor
    owed: list[Owed]

    def capacity(self, seconds: float) -> float:
        """Callbacks a second that are accepted when 64 clients each wait for their answer; once all is delivered."""
        self._arrivals(self._flood(seconds / 2, None))
        met = self._flood(seconds, None)
        self._arrivals(met)
        return met.goodput

    def latencies(self, rate: float, seconds: float) -> list[float]:
        """Seconds that each of so many callbacks a second took to the subscriber."""
        met = self._flood(seconds, rate)
        return [at - due for due, at in self._arrivals(met)]

    def memory(self) -> float:
        """MiB that the server holds."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 2**20

    def _flood(self, seconds: float, rate: float | None) -> Met:
        wires = [one.wire for one in self.owed[: int(seconds * (rate or 2 * MOST)) + CLIENTS]]
        met = self.process.submit(flood, self.port, wires, seconds, rate, CLIENTS).result()
        if set(met.statuses) != {200}:
            raise SystemExit(f"not all were accepted: {dict(met.statuses)}")
        return met

    def _arrivals(self, met: Met) -> list[tuple[float, float]]:
        """When each accepted callback was due, and when the subscriber heard of its job; waits until it has of all."""
        due = {self.owed[number].job_id: at for number, at in zip(met.accepted, met.dues, strict=True)}
        self.owed = [one for one in self.owed if one.job_id not in due]
        heard: dict[str, float] = {}

        def complete() -> bool:
            heard.update(self.there.told())
            return due.keys() <= heard.keys()

        eventually(complete, PATIENCE, pause=0.2)
        return [(at, heard[job_id]) for job_id, at in due.items()]


@contextmanager
def passing(
    process: Executor, count: int, url: str | None = None, settings: Mapping[str, object] | None = None
) -> Iterator[Passage]:
    """A server on a new SQLite file, or on the database at `url`, that expects so many callbacks."""
    with endpoints() as there, tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir()
        url = url or f"sqlite:///{home / 'postback.sqlite3'}"
        owed = asyncio.run(expecting(url, count, there.url("told")))
        with postback(home, "receiver", "forwarder", POSTBACK_DATABASE_URL=url, **settings or {}) as server:
            assert server._process is not None
            yield Passage(server.port, server._process.pid, there, process, owed)
