"""Row 48: bytes of the file are flipped. The start is refused with the remedy, or the server has all it ever had.

Row 50, a second process on the file, is `test_a_second_process_is_refused_until_the_first_lets_go` of test_sqlite.py.
"""

import random
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from builders import calls_back, draft, owe, subscribed, succeeded
from sqlalchemy import Connection, select

from ledger import jobs
from ledger.errors import CannotOpen, Unavailable
from ledger.ledger import Ledger, open_database
from ledger.schema import schema

pytestmark = pytest.mark.anyio

FLIPS = 120
REMEDY = "Restore it from a backup"


def everything(connection: Connection) -> dict[str, list[Any]]:
    return {
        table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
        for table in schema.sorted_tables
    }


async def filled(path: Path) -> dict[str, list[Any]]:
    """Makes a database with something of everything; what it holds."""
    database = await open_database(f"sqlite:///{path}")
    await database.migrate()
    ledger = Ledger(database)
    subscriber = await subscribed(ledger)
    made = await ledger.write(jobs.create_all, [draft(metadata={"number": number}) for number in range(150)])
    for job in made[::3]:
        assert await calls_back(ledger, job, succeeded())
    await owe(ledger, subscriber.id, 50)
    held = await database.read(everything)
    await ledger.close()
    return held


@dataclass(frozen=True)
class Start:
    """What a start said of the file; None where it went well, and then what it holds, None where that is unreadable."""

    refusal: str | None
    held: dict[str, list[Any]] | None = None


async def opened_again(path: Path) -> Start:
    try:
        database = await open_database(f"sqlite:///{path}")
    except CannotOpen as refused:
        return Start(str(refused))
    try:
        await database.migrate()
        return Start(None, await database.read(everything))
    except CannotOpen as refused:
        return Start(str(refused))
    except (Unavailable, ValueError):
        return Start(None)  # text or JSON that is none any more: told to whoever asks for that row
    finally:
        await database.close()


def found_by_sqlite(path: Path) -> str:
    """What SQLite's own check finds, `ok` for nothing."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            return str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.Error as error:
        return str(error)


async def test_flipped_bytes(anyio_backend: str, tmp_path: Path) -> None:
    good = tmp_path / "good.sqlite3"
    held = await filled(good)
    content = good.read_bytes()
    rng = random.Random(48)
    refused = harmless = 0
    for number in range(FLIPS):
        size = rng.choice((1, 8, 64, 512))
        # The header and the first page as well as everywhere else; those that hold the pages together most of all.
        page = rng.choice((0, rng.randrange(len(content) // 4_096)))
        at = page * 4_096 + rng.choice((rng.randrange(120), rng.randrange(4_096 - size)))
        damaged = bytearray(content)
        damaged[at : at + size] = bytes(byte ^ 0xFF for byte in damaged[at : at + size])
        path = tmp_path / f"damaged-{number}.sqlite3"
        path.write_bytes(damaged)
        found = found_by_sqlite(path)
        path.write_bytes(damaged)
        start = await opened_again(path)
        assert (start.refusal is None) == (found == "ok"), (at, size, found, start.refusal)
        if start.refusal is not None:
            assert REMEDY in start.refusal
            assert "Traceback" not in start.refusal
            refused += 1
        harmless += start.held == held
        for left in tmp_path.glob("damaged-*"):
            left.unlink()
    assert refused > FLIPS / 3
    assert harmless > 0


async def test_a_file_that_was_cut(anyio_backend: str, tmp_path: Path) -> None:
    good, cut = tmp_path / "good.sqlite3", tmp_path / "cut.sqlite3"
    await filled(good)
    size = good.stat().st_size
    for share in (0.1, 0.5, 0.9, 0.999):
        shutil.copy(good, cut)
        with cut.open("r+b") as file:
            file.truncate(int(size * share))
        start = await opened_again(cut)
        assert start.refusal is not None, "it holds less than it did, and must not say otherwise"
        assert REMEDY in start.refusal
