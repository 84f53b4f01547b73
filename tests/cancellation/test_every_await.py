"""Row 44: a caller that is cancelled at any await of any path that writes. No transaction stays open, nothing is half
written, nothing is acknowledged that is not committed, and the next write works."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from ledger.database import Database
from ledger.postgres import PostgresDatabase
from ledger.sqlite import SqliteDatabase
from tests.cancellation.cut import cut, quiet
from tests.cancellation.paths import PATHS, Make, Said
from tests.cancellation.world import Remembered, Watching, World, forget, opened, remembered

pytestmark = pytest.mark.anyio

LEAST = {"sqlite": 600, "postgres": 500}
"""Suspensions of all paths together; fewer would mean that the driver no longer reaches them."""


@pytest.fixture
async def world(anyio_backend: str, database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with opened(tmp_path, database_url) as world:
        yield world


async def uncut(world: World, make: Make) -> tuple[list[Remembered], list[int]]:
    """What is remembered before the path and after each of its commits; and what it answers."""
    work = await make(world)
    watching = Watching(world.ledger.database)
    watching.seen.append(await watching.read(remembered))
    said: Said = []
    world.ledger.database = watching
    before = asyncio.all_tasks()
    await work(said)
    await quiet(before)
    world.ledger.database = watching.database
    return watching.seen, said


async def nothing_open(database: Database, path: Path, where: str) -> None:
    """Asks the database itself, from another connection, whether anybody holds a transaction."""
    if isinstance(database, SqliteDatabase):
        other = sqlite3.connect(path, isolation_level=None, timeout=0)
        other.execute("BEGIN IMMEDIATE").execute("ROLLBACK")
        for _ in range(300):
            busy, *_ = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if not busy:
                break
            await asyncio.sleep(0.01)  # a reader's thread ends its transaction in its own time
        other.close()
        assert not busy, f"{where}: a reader still holds its snapshot"
        return
    assert isinstance(database, PostgresDatabase)
    open_ones = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL"
        " AND pid <> pg_backend_pid()"
    )

    def look(connection: Connection) -> int:
        return int(connection.execute(text(open_ones)).scalar_one())

    async with asyncio.timeout(10):
        while await database.read(look):
            await asyncio.sleep(0.01)  # the server ends a broken connection's transaction in its own time
    assert not database._running


@pytest.mark.parametrize("name", PATHS)
async def test_a_cancelled_caller_leaves_all_or_nothing(world: World, name: str, tmp_path: Path) -> None:
    make, database = PATHS[name], world.ledger.database
    steps, said = await uncut(world, make)
    assert all(status < 300 for status in said)
    ends: list[int] = []
    for late in (False, True):
        at = 0
        reached = True
        while reached:
            at += 1
            assert at < 500, "the work never ends"
            await database.write(forget)
            work = await make(world)
            answered: Said = []
            before = asyncio.all_tasks()
            reached = await cut(work(answered), at, late=late)
            await quiet(before)
            world.drop_spawned()
            where = f"cancelled {'after' if late else 'at'} await {at}"
            await nothing_open(database, tmp_path / "postback.sqlite3", where)
            found = await database.read(remembered)
            assert found in steps, f"{where}: half of a transaction"
            if answered:
                assert (answered, found) == (said, steps[-1]), f"{where}: answered without a commit"
            assert await database.write(lambda connection: connection.execute(text("SELECT 7")).scalar()) == 7
        ends.append(at - 1)
    print(f"{name}: {ends[0]} awaits")
    assert ends[0] == ends[1] >= 2
