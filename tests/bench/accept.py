"""Accepting callbacks durably, 64 clients: ours, beside the afternoon's version and the bare server."""

import tempfile
from pathlib import Path

from .generator import Load, flood
from .programs import postback, program
from .stock import expecting

HOOK = "http://127.0.0.1:9/hook"
WARM_UP = 200


async def ours(count: int, url: str | None = None) -> Load:
    """The receiver, on a new SQLite file or on an empty database at `url`."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir()
        database = url or f"sqlite:///{home / 'postback.sqlite3'}"
        owed = await expecting(database, count + WARM_UP, HOOK)
        with postback(home, "receiver", POSTBACK_DATABASE_URL=database) as server:
            return await _measured(server.port, [one.wire for one in owed], 200)


async def baseline(count: int) -> Load:
    with tempfile.TemporaryDirectory() as folder:
        wires = await _wires(count)
        with program("afternoon_receiver", Path(folder) / "afternoon.sqlite3") as port:
            return await _measured(port, wires, 200)


async def limit(count: int) -> Load:
    with program("bare_receiver") as port:
        return await _measured(port, await _wires(count), 202)


async def _wires(count: int) -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'postback.sqlite3'}"
        return [one.wire for one in await expecting(url, count + WARM_UP, HOOK)]


async def _measured(port: int, wires: list[bytes], good: int) -> Load:
    await flood(port, wires[:WARM_UP])
    load = await flood(port, wires[WARM_UP:])
    if set(load.statuses) != {good}:
        raise SystemExit(f"not all were accepted: {dict(load.statuses)}")
    return load
