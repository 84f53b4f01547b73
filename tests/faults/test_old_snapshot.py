"""Row 52: an old snapshot is held open. The database cannot tidy up and the stream stands still: an alarm says so."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from builders import FakeClock, owe, subscribed
from databases import Postgres
from sqlalchemy import Connection, delete, insert, text
from starlette.applications import Starlette
from structlog.testing import capture_logs

from ledger import horizon, serial
from ledger.clock import SECOND, system_now
from ledger.ledger import Ledger, open_database
from ledger.moment import Moment
from ledger.schema import facts
from postback import alarm
from postback.alarm import EVERY, OLD, Alarm
from postback.house import open_house
from tests.api.stage import settings

pytestmark = pytest.mark.anyio


@pytest.fixture
async def on_postgres(anyio_backend: str, postgres_url: str) -> AsyncIterator[Ledger]:
    opened = Ledger(await open_database(postgres_url))
    await opened.database.migrate()
    yield opened
    await opened.close()


async def complaints(watch: Alarm, now: int) -> list[Any]:
    with capture_logs() as logs:
        assert await watch.run_once(now) == now + EVERY
    return logs


async def test_a_transaction_that_has_written_stops_the_stream_and_is_named(
    on_postgres: Ledger, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscriber = await subscribed(on_postgres)
    other = await asyncpg.connect(postgres.url("postgres"))  # of the whole server, not of our database alone
    try:
        await other.execute("BEGIN; SELECT pg_current_xact_id()")
        before = await on_postgres.read(serial.settled)
        await owe(on_postgres, subscriber.id, 3)
        assert await on_postgres.read(serial.settled) == before, "the stream waits"
        found = await on_postgres.read(horizon.oldest)
        assert found is not None
        assert found.pid == other.get_server_pid()
        assert 0 <= found.age < OLD
        watch = Alarm(on_postgres)
        assert await complaints(watch, 0) == [], "it is not old yet"
        monkeypatch.setattr(alarm, "OLD", 0)
        (said,) = await complaints(watch, EVERY)
        assert (said["event"], said["log_level"], said["pid"]) == ("old_snapshot", "warning", found.pid)
        assert 0 <= said["age_seconds"] < OLD
        assert "pg_current_xact_id" not in str(said), "its query may hold anything"
    finally:
        await other.close()
    assert await on_postgres.read(serial.settled) > before
    assert await complaints(watch, 2 * EVERY) == []


async def test_a_snapshot_keeps_dead_rows_and_is_named(on_postgres: Ledger, postgres_url: str) -> None:
    subscriber = await subscribed(on_postgres)
    await owe(on_postgres, subscriber.id, 50)
    reader, cleaner = await asyncpg.connect(postgres_url), await asyncpg.connect(postgres_url)
    try:
        await reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM deliveries")
        await on_postgres.write(lambda c, moment: c.execute(text("UPDATE deliveries SET due_at = due_at + 1")).close())
        assert await _left_after_vacuum(cleaner) == 50
        found = await on_postgres.read(horizon.oldest)
        assert found is not None
        assert found.pid == reader.get_server_pid()
        await reader.execute("COMMIT")
        assert await _left_after_vacuum(cleaner) == 0
        assert await on_postgres.read(horizon.oldest) is None
    finally:
        await reader.close()
        await cleaner.close()


async def _left_after_vacuum(connection: Any) -> int:
    said: list[str] = []
    listener = lambda _, message: said.append(f"{message.message} {message.detail}")  # noqa: E731
    connection.add_log_listener(listener)
    await connection.execute("VACUUM (VERBOSE) deliveries")
    await asyncio.sleep(0)  # messages are told in the next turn of the loop
    connection.remove_log_listener(listener)
    (line,) = [part for part in "\n".join(said).splitlines() if "are dead but not yet removable" in part][:1]
    return int(line.partition(" remain, ")[2].partition(" are dead")[0])


async def test_a_reader_that_keeps_the_wal_from_being_used_again_is_told_of(
    tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alarm, "LARGE", 8_000_000)
    opened = Ledger(await open_database(sqlite_url))
    await opened.database.migrate()

    def write(connection: Connection, moment: Moment, number: int) -> None:
        connection.execute(delete(facts).where(facts.c.name == "large"))
        connection.execute(insert(facts).values(name="large", value=str(number) * 1_000_000))

    async def fill() -> None:
        for number in range(10):
            await opened.write(write, number)

    try:
        watch = Alarm(opened)
        await fill()
        assert await complaints(watch, 0) == [], "without a reader it is used again and again"
        with closing(sqlite3.connect(f"file:{tmp_path / 'postback.sqlite3'}?mode=ro", uri=True)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM facts").fetchall()
            await fill()
            (said,) = await complaints(watch, EVERY)
            assert (said["event"], said["log_level"]) == ("wal_large", "warning")
            assert said["bytes"] == await opened.read(horizon.wal_size) > 8_000_000
        await fill()
        await watch.run_once(2 * EVERY)  # it grew once more before it began anew
        await fill()
        assert await complaints(watch, 3 * EVERY) == [], "it is large, and does not grow"
    finally:
        await opened.close()


async def test_the_other_database_s_figure_is_none(ledger: Ledger) -> None:
    on_sqlite = type(ledger.database).__name__ == "SqliteDatabase"
    assert (await ledger.read(horizon.wal_size) == 0) != on_sqlite
    assert await ledger.read(horizon.oldest) is None


async def test_it_looks_once_a_minute(ledger: Ledger, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    monkeypatch.setattr(horizon, "oldest", lambda connection: looks.append(clock.now))
    watch = Alarm(ledger)
    for _ in range(150):
        assert await watch.run_once(clock()) > clock.now
        clock.advance(SECOND)
    assert [look - looks[0] for look in looks] == [0, EVERY, 2 * EVERY]


@pytest.mark.parametrize(("role", "watches"), [("api", True), ("forwarder", False)])
async def test_a_process_with_the_api_watches(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, role: str, watches: bool
) -> None:
    monkeypatch.setattr(alarm, "OLD", 0)
    house = await open_house(settings(tmp_path, postgres_url), frozenset({role}), clock=system_now)
    other = await asyncpg.connect(postgres_url)
    try:
        await other.execute("BEGIN; SELECT pg_current_xact_id()")
        with capture_logs() as logs:
            await house.start(Starlette())
            await house.ledger.read(horizon.oldest)  # the loop begins meanwhile, and ends its pass before it stops
            await house.stop()
        assert ("old_snapshot" in [line["event"] for line in logs]) is watches
    finally:
        await other.close()
