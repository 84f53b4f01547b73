"""Overload: what is accepted, how soon and at what cost, when requests come at a multiple of what can be done.

Capacity is what 64 connections get that each wait for their answer. A surge sends at a multiple of it, without waiting.
"""

import argparse
import asyncio
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2 as httpx
from databases import postgres_server
from sqlalchemy import Connection, select

from ledger.ledger import Ledger, open_database
from ledger.schema import callbacks, jobs

from .generator import request
from .programs import postback
from .stock import expecting
from .surge import Met, flood, generator

KEY = "a-key-for-the-overload"
CLOSED = 64
LOADS = (0.5, 1.0, 2.0, 5.0)
KINDS = ("callbacks", "jobs")
PAUSE = 0.2
COUNT = 400_000
"""Requests that are kept ready."""


@dataclass
class Overload:
    """One server and how it bears its loads. `calls` are the requests that it has not accepted yet, by name."""

    port: int
    pid: int
    process: Executor
    calls: list[tuple[str, bytes]]
    accepted: list[str] = field(default_factory=list)
    looks: list[tuple[str, int, float]] = field(default_factory=list)
    """What was asked meanwhile: the path, the status and the seconds it took."""

    def capacity(self, seconds: float) -> Met:
        """What comes of it when all wait for their answers, once it has warmed up."""
        self._flood(min(1.0, seconds), None, CLOSED)
        return self._flood(seconds, None, CLOSED)

    def surge(self, rate: float, seconds: float) -> Met:
        """What comes of so many requests a second. There are connections enough for none to wait for another."""
        return self._flood(seconds, rate, int(min(6_000, max(1_000, rate))))

    def spent(self) -> float:
        """Seconds of processor time that the server and its second writer have used."""
        return sum(map(self.spent_by, [self.pid, *self.others()]))

    def spent_by(self, pid: int) -> float:
        """The same of one of them."""
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def others(self) -> list[int]:
        """The server's own processes."""
        return [int(one) for one in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def memory(self) -> int:
        """MiB that the server holds."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * resource.getpagesize() // 2**20

    def _flood(self, seconds: float, rate: float | None, clients: int) -> Met:
        wires = [wire for _, wire in self.calls]
        going = self.process.submit(flood, self.port, wires, seconds, rate, clients)
        headers = {"authorization": f"Bearer {KEY}"}
        with httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30, trust_env=False) as http:
            while not going.done():
                for path in ("/healthz", "/v1/jobs?limit=1"):
                    began = time.perf_counter()
                    status = http.get(path, headers=headers).status_code
                    self.looks.append((path, status, time.perf_counter() - began))
                time.sleep(PAUSE)
        met = going.result()
        done = set(met.accepted)
        self.accepted += [self.calls[number][0] for number in met.accepted]
        self.calls = [call for number, call in enumerate(self.calls) if number not in done]
        return met


@contextmanager
def overload(kind: str, folder: Path, url: str | None, count: int, process: Executor) -> Iterator[Overload]:
    """A server on a new database, SQLite where there is no `url`, with so many requests of that kind to come."""
    home = folder / "home"
    home.mkdir()
    url = url or f"sqlite:///{home / 'postback.sqlite3'}"
    owed = asyncio.run(expecting(url, count if kind == "callbacks" else 1, "http://127.0.0.1:9/hook"))
    calls = [(one.job_id, one.wire) for one in owed] if kind == "callbacks" else [_job(i) for i in range(count)]
    with postback(home, "receiver", "api", POSTBACK_DATABASE_URL=url, POSTBACK_API_KEY=KEY) as server:
        assert server._process is not None
        one = Overload(server.port, server._process.pid, process, calls)
        yield one


def lost(kind: str, folder: Path, url: str | None, accepted: Sequence[str]) -> set[str]:
    """What was answered 2xx and is not in the database."""

    async def look() -> set[str]:
        ledger = Ledger(await open_database(url or f"sqlite:///{folder / 'home' / 'postback.sqlite3'}"))
        try:
            return await ledger.read(_KEPT[kind])
        finally:
            await ledger.close()

    return set(accepted) - asyncio.run(look())


def _job(number: int) -> tuple[str, bytes]:
    body = b'{"provider":"acedata","model":"flux-dev","input":{"prompt":"a cat"},"metadata":{"order":%d}}' % number
    line, rest = request("/v1/jobs", body).split(b"\r\n", 1)
    return str(number), b"%s\r\nauthorization: Bearer %s\r\n%s" % (line, KEY.encode(), rest)


def _kept_callbacks(connection: Connection) -> set[str]:
    return set(connection.execute(select(callbacks.c.job_id).where(callbacks.c.verdict == "accepted")).scalars())


def _kept_jobs(connection: Connection) -> set[str]:
    return {str(one.get("order")) for one in connection.execute(select(jobs.c.metadata)).scalars()}


_KEPT: dict[str, Callable[[Connection], set[str]]] = {"callbacks": _kept_callbacks, "jobs": _kept_jobs}


def _report(kind: str, name: str, url: str | None, seconds: float) -> None:
    with tempfile.TemporaryDirectory() as path, ExitStack() as stack:
        folder = Path(path)
        process = stack.enter_context(generator())
        with overload(kind, folder, url, COUNT, process) as one:
            capacity = one.capacity(seconds).goodput
            print(f"\n{kind}, {name}: capacity {capacity:.0f} a second")
            print("   load  goodput/capacity  p99/p99 at half  refused  slowest /healthz  MiB")
            calm = 0.0
            for load in LOADS:
                one.looks.clear()
                met = one.surge(load * capacity, seconds)
                calm = calm or met.p99
                refused = met.statuses[503] / sum(met.statuses.values())
                slowest = max(took for path, _, took in one.looks if path == "/healthz")
                print(
                    f"{load:6.1f}× {met.goodput / capacity:17.2f} {met.p99 / calm:16.1f} {refused:8.0%}"
                    f" {slowest:15.2f} s {one.memory():4}",
                    flush=True,
                )
        print(f"acknowledged {len(one.accepted)}, lost {len(lost(kind, folder, url, one.accepted))}")


def main() -> None:
    options = argparse.ArgumentParser(prog="scripts/bench overload", description=__doc__)
    options.add_argument("--seconds", type=float, default=5, help="how long each load lasts")
    options.add_argument("--database", choices=("sqlite", "postgres"), help="only this one")
    asked = options.parse_args()
    if asked.database != "postgres":
        for kind in KINDS:
            _report(kind, "SQLite", None, asked.seconds)
    if asked.database != "sqlite":
        with postgres_server() as server:
            for kind in KINDS:
                with server.database() as url:
                    _report(kind, "PostgreSQL", url, asked.seconds)


if __name__ == "__main__":
    main()
