"""Row 48: bytes of the file are flipped. What holds the file together is checked at the start, which is refused with
the remedy. What is inside a row is not, as SQLite keeps no checksums of it: it may be read as something else, or not at
all, which whoever asks for it is told.

Row 50, a second process on the file, is `test_a_second_process_is_refused_until_the_first_lets_go` of test_sqlite.py.
"""

import random
import shutil
import sqlite3
from collections import Counter
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
from tests.api.stage import problem, served, settings

pytestmark = pytest.mark.anyio

FLIPS = 120
PAGE = 4_096
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

    def against(self, held: dict[str, list[Any]]) -> str:
        """What became of what it held: `refused`, `intact`, `different`, or `unreadable` in part."""
        if self.refusal is not None:
            return "refused"
        return "unreadable" if self.held is None else "intact" if self.held == held else "different"


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
    except Unavailable:
        return Start(None)
    finally:
        await database.close()


def found_by_sqlite(path: Path) -> str:
    """What SQLite's own check finds, `ok` for nothing."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            return str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.Error as error:
        return str(error)


def flipped(content: bytes, at: int, size: int) -> bytes:
    return content[:at] + bytes(byte ^ 0xFF for byte in content[at : at + size]) + content[at + size :]


async def test_flipped_bytes(anyio_backend: str, tmp_path: Path) -> None:
    """Anywhere. Nothing ends in another error than those that a start and a reader may meet."""
    good = tmp_path / "good.sqlite3"
    held = await filled(good)
    content = good.read_bytes()
    rng = random.Random(48)
    became: Counter[str] = Counter()
    for number in range(FLIPS):
        size = rng.choice((1, 8, 64, 512))
        # The header and the first page as well as everywhere else; those that hold the pages together most of all.
        page = rng.choice((0, rng.randrange(len(content) // PAGE)))
        at = page * PAGE + rng.choice((rng.randrange(120), rng.randrange(PAGE - size)))
        path = tmp_path / f"damaged-{number}.sqlite3"
        path.write_bytes(flipped(content, at, size))
        found = found_by_sqlite(path)
        path.write_bytes(flipped(content, at, size))
        start = await opened_again(path)
        assert (start.refusal is None) == (found == "ok"), (at, size, found, start.refusal)
        if start.refusal is not None:
            assert REMEDY in start.refusal
            assert "Traceback" not in start.refusal
        became[start.against(held)] += 1
        for left in tmp_path.glob("damaged-*"):
            left.unlink()
    # Where they fall changes a little with the ids: it was 51 refused, 62 intact, 5 unreadable, 2 different.
    assert became["refused"] > FLIPS / 3, became
    assert became["intact"] > FLIPS / 3, became
    assert became["unreadable"] + became["different"] < FLIPS / 6, became


async def test_what_holds_the_pages_together_is_always_noticed(anyio_backend: str, tmp_path: Path) -> None:
    """The head of every page of the file: its kind, its number of cells, where they begin."""
    good, damaged = tmp_path / "good.sqlite3", tmp_path / "damaged.sqlite3"
    await filled(good)
    content = good.read_bytes()
    heads = [100, *range(PAGE, len(content), PAGE)]
    assert len(heads) > 50
    for at in heads:
        damaged.write_bytes(flipped(content, at, 8))
        start = await opened_again(damaged)
        assert start.refusal is not None, at
        assert REMEDY in start.refusal


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("jobs", "input = 'z' || substr(input, 2)"),
        ("jobs", "metadata = CAST(x'ff' || substr(metadata, 2) AS TEXT)"),
        ("jobs", "created_at = created_at - (1 << 47)"),  # the sign of the six bytes that SQLite keeps of it
        ("notifications", "body = CAST('z' || substr(body, 2) AS BLOB)"),
        ("deliveries", "created_at = created_at - (1 << 47)"),
        ("callbacks", "received_at = received_at - (1 << 47)"),
    ],
)
async def test_a_row_that_cannot_be_read_is_503_and_the_others_are_there(
    anyio_backend: str, tmp_path: Path, table: str, change: str
) -> None:
    path = tmp_path / "damaged.sqlite3"
    await filled(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        ids = [row[0] for row in connection.execute(f"SELECT id FROM {table} ORDER BY id")]
        connection.execute(f"UPDATE {table} SET {change} WHERE id = ?", ids[:1])
    assert found_by_sqlite(path) == "ok"
    async with served(settings(tmp_path, f"sqlite:///{path}")) as stage:
        answer = await stage.client.get(f"/v1/{table}/{ids[0]}")
        told = problem(answer, 503, "unavailable")
        assert told["detail"].startswith(("The database holds a row that is damaged", "The database could not be read"))
        assert await stage.get(f"/v1/{table}/{ids[1]}")


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
