"""Delivering durably, 64 in flight to one healthy endpoint: ours, beside the afternoon's version and a bare loop."""

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from . import afternoon_forwarder
from .endpoints import Endpoints, endpoints
from .programs import ROOT, postback
from .stock import owing

AT_ONCE = 64
STALLED_SECONDS = 30


def ours(count: int, url: str | None = None, forwarders: int = 1) -> float:
    """Deliveries a second by the forwarder, on a new SQLite file or on an empty database at `url`."""
    with endpoints() as there, tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir()
        database = url or f"sqlite:///{home / 'postback.sqlite3'}"
        asyncio.run(owing(database, count, there.url("times")))
        with postback(home, "forwarder", POSTBACK_DATABASE_URL=database):
            return _rate(_arrived(there, count))


def baseline(count: int) -> float:
    """The same by the afternoon's version."""
    with endpoints() as there, tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "afternoon.sqlite3")
        afternoon_forwarder.fill(path, count, there.url("times"))
        return _run("afternoon_forwarder", there, count, path, AT_ONCE)


def limit(count: int) -> float:
    """POSTs a second by the bare loop."""
    with endpoints() as there:
        return _run("bare_forwarder", there, count, there.url("times"), count, AT_ONCE)


def _run(module: str, there: Endpoints, count: int, *arguments: object) -> float:
    command = [sys.executable, "-m", f"tests.bench.{module}", *map(str, arguments)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL) as process:
        try:
            return _rate(_arrived(there, count))
        finally:
            process.kill()


def _arrived(there: Endpoints, count: int) -> Sequence[float]:
    times: list[float] = []
    heard = time.monotonic()
    while len(times) < count:
        time.sleep(0.2)
        new = there.times()
        times += new
        heard = time.monotonic() if new else heard
        if time.monotonic() - heard > STALLED_SECONDS:
            raise SystemExit(f"only {len(times)} of {count} arrived")
    return sorted(times)


def _rate(times: Sequence[float]) -> float:
    """Between the first tenth, in which things get going, and the last, in which fewer are under way."""
    tenth = len(times) // 10
    middle = times[tenth:-tenth]
    return len(middle) / (middle[-1] - middle[0])
