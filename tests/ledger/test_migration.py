import asyncio
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from ledger import migration
from ledger.errors import CannotOpen
from ledger.ledger import open_database
from ledger.schema import schema

pytestmark = pytest.mark.anyio

MIGRATE = """
import asyncio, sys
from ledger.ledger import open_database

async def main():
    database = await open_database(sys.argv[1])
    await database.migrate()
    await database.close()

asyncio.run(main())
"""


def differences(connection: Connection) -> list[Any]:
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    return list(compare_metadata(context, schema))


def tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


def indexes(connection: Connection) -> dict[str, str | None]:
    """Each index with its predicate, which Alembic does not compare."""
    found = inspect(connection)
    return {
        str(index["name"]): _predicate(index.get("dialect_options", {}))
        for table in schema.tables
        for index in found.get_indexes(table)
    }


def _predicate(options: Any) -> str | None:
    where = options.get("postgresql_where", options.get("sqlite_where"))
    return None if where is None else str(where)


async def test_a_migrated_database_has_the_schema_of_the_code(database_url: str) -> None:
    database = await open_database(database_url)
    await database.migrate()
    assert await database.write(lambda connection: differences(connection)) == []
    migrated = await database.read(indexes)
    await database.write(lambda connection: schema.drop_all(connection))
    await database.write(lambda connection: schema.create_all(connection))
    assert await database.read(indexes) == migrated
    await database.close()


async def test_migrating_twice_changes_nothing(database_url: str) -> None:
    database = await open_database(database_url)
    assert await database.version() == (None, migration.HEAD)
    for _ in range(2):
        await database.migrate()
        assert await database.version() == (migration.HEAD, migration.HEAD)
    await database.close()


async def test_a_database_from_a_newer_version_is_refused_and_left_alone(database_url: str) -> None:
    database = await open_database(database_url)
    await database.migrate()
    await database.write(lambda c: c.execute(text("UPDATE alembic_version SET version_num = '9999'")).close())
    with pytest.raises(CannotOpen, match=r"newer Postback \(schema 9999, .*Install that version, or restore"):
        await database.migrate()
    assert await database.version() == ("9999", migration.HEAD)
    await database.close()


async def test_a_migration_that_fails_leaves_nothing_behind(database_url: str) -> None:
    database = await open_database(database_url)

    def upgrade_and_fail(connection: Connection) -> None:
        migration.upgrade(connection)
        raise RuntimeError("the power went")

    with pytest.raises(RuntimeError):
        await database.write(upgrade_and_fail)
    assert await database.read(tables) == set()
    await database.migrate()
    await database.close()


async def test_two_processes_may_migrate_at_once(postgres_url: str) -> None:
    root = Path(migration.__file__).parent.parent
    started = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", MIGRATE, postgres_url, cwd=root, stderr=asyncio.subprocess.PIPE
        )
        for _ in range(3)
    ]
    async with asyncio.timeout(60):
        errors = [(await process.communicate())[1] for process in started]
    assert errors == [b""] * 3
    assert [process.returncode for process in started] == [0] * 3


def test_head_is_the_newest_script_of_one_line() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migration.__file__).with_name("migrations")))
    assert ScriptDirectory.from_config(config).get_heads() == [migration.HEAD]


async def test_an_installation_in_a_folder_with_a_percent_sign_migrates(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts = tmp_path / "100%(sure)s" / "migrations"
    shutil.copytree(migration._SCRIPTS, scripts)
    monkeypatch.setattr(migration, "_SCRIPTS", scripts)
    database = await open_database(sqlite_url)
    await database.migrate()
    assert "jobs" in await database.read(tables)
    await database.close()
