"""The test databases themselves: real, empty, separate, and gone when the tests are."""

import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from databases import Postgres

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
