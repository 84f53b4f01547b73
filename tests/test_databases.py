"""The test databases themselves: real, empty, separate, and gone when the tests are."""

import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from builders import count, execute, queued
from databases import Postgres
from sqlalchemy import text

from ledger.ledger import Ledger, open_database
from ledger.migration import HEAD
from ledger.schema import jobs, schema

pytestmark = pytest.mark.anyio


async def test_a_database_is_empty_and_of_the_test_s_own(postgres: Postgres) -> None:
    with postgres.database() as one, postgres.database() as other:
        for url in (one, other):
            connection = await asyncpg.connect(url)
            await connection.execute("CREATE TABLE jobs (id text)")
            await connection.close()


async def test_a_database_is_dropped_under_an_open_connection(postgres: Postgres) -> None:
    with postgres.database() as url:
        connection = await asyncpg.connect(url)
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await asyncpg.connect(url)
    connection.terminate()


async def test_a_migrated_database_comes_again_and_is_empty(postgres: Postgres) -> None:
    with postgres.migrated() as url:
        left_open = await asyncpg.connect(url)
        ledger = Ledger(await open_database(url))
        await queued(ledger)
        assert await count(ledger, jobs) == 1
        await execute(ledger, text("UPDATE alembic_version SET version_num = '0001'"))
        await ledger.close()
        await left_open.execute("BEGIN; LOCK TABLE jobs")
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await left_open.execute("SELECT 1")
    with postgres.migrated() as again:
        assert again == url
        ledger = Ledger(await open_database(url))
        assert await ledger.database.version() == (HEAD, HEAD)
        assert [await count(ledger, table) for table in schema.sorted_tables] == [0] * len(schema.sorted_tables)
        await ledger.close()


@pytest.mark.usefixtures("migrated")
async def test_who_asks_for_it_finds_the_tables(database_url: str) -> None:
    database = await open_database(database_url)
    assert await database.version() == (HEAD, HEAD)
    await database.close()


def test_the_fixtures_name_no_driver(postgres_url: str, sqlite_url: str, tmp_path: Path) -> None:
    assert postgres_url.startswith("postgresql://")
    assert sqlite_url == f"sqlite:///{tmp_path / 'postback.sqlite3'}"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("postgres")
def test_a_killed_session_leaves_no_server_behind() -> None:
    code = "from databases import postgres_server as s\nwith s() as p: print(p.folder, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as session:
        assert session.stdout is not None
        assert session.stderr is not None
        folder = Path(session.stdout.readline().strip())
        assert (folder / "postmaster.pid").exists()
        session.kill()
        session.stderr.read()  # ends when the guard, which holds it too, has finished
        assert not folder.exists()
