"""Delivering durably, 64 in flight to one healthy endpoint: ours, beside the afternoon's version and a bare loop."""

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from . import afternoon_forwarder
from .endpoints import Endpoints, endpoints
from .line import Line, at_least, compare, in_turn
from .programs import ROOT, postback
from .size import Size
from .stock import owing

AT_ONCE = 64
STALLED_SECONDS = 30
WHAT = "delivery settled durably, 64 in flight"


def lines(size: Size) -> list[Line]:
    """Ours to the afternoon's version and to the bare loop. These have deliveries for about as long as ours."""
    rounds = in_turn(
        size.rounds,
        ours=lambda: ours(size.deliveries),
        limit=lambda: limit(size.deliveries * 3),
        baseline=lambda: baseline(size.deliveries // 5),
        again=lambda: ours(size.deliveries),
    )
    bare = "limit: a bare aiohttp loop that POSTs the same bytes"
    afternoon = "baseline: one httpx2 client, a commit an attempt"
    return [
        compare(WHAT, bare, at_least(0.45, floor=0.35), rounds, "limit", figure=float, measured_in="/s"),
        compare(WHAT, afternoon, at_least(8), rounds, "baseline", figure=float, measured_in="/s"),
    ]


def ours(count: int, url: str | None = None, forwarders: int = 1) -> float:
    """Deliveries a second by so many forwarders, on a new SQLite file or on an empty database at `url`."""
    with endpoints() as there, tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        database = url or f"sqlite:///{Path(folder) / 'postback.sqlite3'}"
        asyncio.run(owing(database, count, there.url("times")))
        for number in range(forwarders):
            home = Path(folder) / f"home{number}"
            home.mkdir()
            running.enter_context(postback(home, "forwarder", POSTBACK_DATABASE_URL=database))
        return rate(arrived(there, count))


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
            return rate(arrived(there, count))
        finally:
            process.kill()


def arrived(there: Endpoints, count: int) -> Sequence[float]:
    """When each request for `/times` came, once all have."""
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


def rate(times: Sequence[float]) -> float:
    """How many came a second between the first tenth, in which things get going, and the last, in which they end."""
    tenth = len(times) // 10
    middle = times[tenth:-tenth]
    return len(middle) / (middle[-1] - middle[0])
