"""Row 44: a caller that is cancelled at any await of any path that writes. No transaction stays open, nothing is half
written, nothing is acknowledged that is not committed, and the next write works."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from ledger.database import Database, Work
from ledger.errors import Unavailable
from ledger.postgres import PostgresDatabase
from ledger.sqlite import SqliteDatabase
from tests.cancellation.cut import cut, quiet
from tests.cancellation.paths import PATHS, Make, Said
from tests.cancellation.world import Remembered, Watching, World, forget, opened, remembered

pytestmark = [
    pytest.mark.anyio,
    # A download that is cancelled while a thread makes its draft leaves the file to be closed by who collects it.
    pytest.mark.filterwarnings("ignore:Exception ignored in. <_io.FileIO:pytest.PytestUnraisableExceptionWarning"),
]

OTHERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL"
    " AND pid <> pg_backend_pid()"
)
"""Transactions of other connections to the same PostgreSQL database."""


@pytest.fixture
async def world(anyio_backend: str, migrated: None, database_url: str, tmp_path: Path) -> AsyncIterator[World]:
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
    if isinstance(database, PostgresDatabase):
        async with asyncio.timeout(10):
            while await database.read(lambda connection: connection.execute(text(OTHERS)).scalar_one()):
                await asyncio.sleep(0.01)  # the server ends a broken connection's transaction in its own time
        assert not database._running, where
        return
    other = sqlite3.connect(path, isolation_level=None, timeout=0)
    try:
        other.execute("BEGIN IMMEDIATE").execute("ROLLBACK")
        busy, *_ = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.OperationalError as error:
        raise AssertionError(f"{where}: a writer holds the database: {error}") from None
    finally:
        other.close()
    assert not busy, f"{where}: a reader still holds its snapshot"


def seven(connection: Connection) -> int:
    return int(connection.execute(text("SELECT 7")).scalar_one())


async def cut_everywhere(world: World, make: Make, path: Path, *, late: bool) -> int:
    """Does the work again and again, cancelled one await later each time; returns how many awaits it has."""
    database = world.ledger.database
    await database.write(forget)
    steps, said = await uncut(world, make)
    assert all(status < 300 for status in said)
    for at in range(1, 200):
        await database.write(forget)
        work = await make(world)
        answered: Said = []
        before = asyncio.all_tasks()
        reached = await cut(work(answered), at, late=late)
        await quiet(before)
        world.drop_spawned()
        where = f"cancelled {'after' if late else 'at'} await {at}"
        try:
            assert await database.write(seven) == 7, where
        except Unavailable as error:
            raise AssertionError(f"{where}: a writer holds the database: {error}") from None
        await nothing_open(database, path, where)
        found = await database.read(remembered)
        assert found in steps, f"{where}: half of a transaction"
        if answered:
            assert (answered, found) == (said, steps[-1]), f"{where}: answered without a commit"
        if not reached:
            assert found == steps[-1]
            return at - 1
    raise AssertionError("the work never ends")


@pytest.mark.parametrize("late", [False, True], ids=["at", "after"])
@pytest.mark.parametrize("name", PATHS)
async def test_a_cancelled_caller_leaves_all_or_nothing(world: World, name: str, late: bool, tmp_path: Path) -> None:
    assert await cut_everywhere(world, PATHS[name], tmp_path / "postback.sqlite3", late=late) >= 3


class Hasty(SqliteDatabase):
    """What `SqliteDatabase` must not be: it answers when the work is done, and commits when there is time."""

    async def write(self, work: Work[Any]) -> Any:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def noted(connection: Connection) -> Any:
            result = work(connection)
            answer.get_loop().call_soon_threadsafe(answer.set_result, result)
            raise ValueError("a crash before the commit")

        asyncio.create_task(super().write(noted)).add_done_callback(lambda task: task.exception())
        return await answer


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_answers_before_the_commit_would_be_found(world: World, tmp_path: Path) -> None:
    make, database = PATHS["resubmit"], world.ledger.database
    steps, said = await uncut(world, make)
    await database.write(forget)
    work = await make(world)
    answered: Said = []
    before = asyncio.all_tasks()
    database.__class__ = Hasty
    await work(answered)
    database.__class__ = SqliteDatabase
    await quiet(before)
    assert answered == said == [202]
    assert await database.read(remembered) != steps[-1], "what `cut_everywhere` compares"
