"""Accepting callbacks durably, 64 clients: ours, beside the afternoon's version and the bare server."""

import asyncio
import tempfile
from pathlib import Path

import uvloop

from .generator import Load, flood
from .line import Line, at_least, compare, in_turn
from .programs import postback, program
from .size import Size
from .stock import expecting, unexpected

HOOK = "http://127.0.0.1:9/hook"
WARM_UP = 400
SECONDS = 1.0
"""How long a server has, after the first of the requests to warm up, for what it starts under load."""

WHAT = "callback accepted durably, 64 clients"


def lines(size: Size) -> list[Line]:
    """Ours to the afternoon's version and to the bare server. These have requests for about as long as ours."""
    rounds = in_turn(
        size.rounds,
        ours=lambda: uvloop.run(ours(size.callbacks)).rate,
        limit=lambda: uvloop.run(limit(size.callbacks * 4)).rate,
        baseline=lambda: uvloop.run(baseline(size.callbacks // 4)).rate,
        again=lambda: uvloop.run(ours(size.callbacks)).rate,
    )
    bare = "limit: a Starlette app that reads the body and answers 202"
    afternoon = "baseline: Starlette and aiosqlite, a commit a request"
    return [
        compare(WHAT, bare, at_least(0.4, floor=0.3), rounds, "limit", figure=float, measured_in="/s"),
        compare(WHAT, afternoon, at_least(4), rounds, "baseline", figure=float, measured_in="/s"),
    ]


async def ours(count: int, url: str | None = None) -> Load:
    """The receiver, on a new SQLite file or on an empty database at `url`."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir()
        database = url or f"sqlite:///{home / 'postback.sqlite3'}"
        owed = await expecting(database, count + WARM_UP, HOOK)
        with postback(home, "receiver", POSTBACK_DATABASE_URL=database) as server:
            return await measured(server.port, [one.wire for one in owed], 200)


async def baseline(count: int) -> Load:
    """The afternoon's version."""
    with tempfile.TemporaryDirectory() as folder:
        with program("afternoon_receiver", Path(folder) / "afternoon.sqlite3") as port:
            return await measured(port, unexpected(count + WARM_UP), 200)


async def limit(count: int) -> Load:
    """The bare server."""
    with program("bare_receiver") as port:
        return await measured(port, unexpected(count + WARM_UP), 202)


async def measured(port: int, wires: list[bytes], good: int) -> Load:
    """How the requests were answered, once the server has warmed up. All answers must have the status `good`."""
    await flood(port, wires[: WARM_UP // 2])
    await asyncio.sleep(SECONDS)
    await flood(port, wires[WARM_UP // 2 : WARM_UP])
    load = await flood(port, wires[WARM_UP:])
    if set(load.statuses) != {good}:
        raise SystemExit(f"not all were accepted: {dict(load.statuses)}")
    return load
