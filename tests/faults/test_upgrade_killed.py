"""Row 54: SIGKILL in the middle of an upgrade. The schema is then the old or the new one, never half, and nothing is
lost; the next start completes it."""

import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, inspect, text

from ledger import migration
from ledger.ledger import open_database
from tests.ledger.test_upgrades import to

pytestmark = pytest.mark.anyio

MIGRATE = """
import asyncio, os, signal, sys
from sqlalchemy import event
from sqlalchemy.engine import Engine
from ledger.ledger import open_database

url, moment = sys.argv[1:]

def ends(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def sent(connection, cursor, statement, *_):
    if statement.strip().startswith(moment):
        ends()

async def main():
    database = await open_database(url)
    if moment == "COMMIT":
        event.listen(Engine, "commit", ends)
    elif moment != "COMMITTED":
        event.listen(Engine, "after_cursor_execute", sent)
    await database.migrate()
    ends()

asyncio.run(main())
"""
"""Upgrades the database and is killed after a statement, before the commit, or after it."""

MIDST = (
    "ALTER TABLE jobs ADD COLUMN subscribers",
    "UPDATE deliveries SET lane",
    "DROP INDEX deliveries_open",
    "UPDATE alembic_version",
    "COMMIT",
)

ROOT = Path(__file__).parents[2]
ROWS = 500
FILL = (
    """INSERT INTO subscribers (id, url, events, metadata, header_names, sealed_secret, old_secrets, max_in_flight,
        enabled, created_at) SELECT 'sub_' || n, 'https://a.example/' || n, '["*"]', '{}', '[]', 'sealed', '[]', 10,
        true, 1 FROM numbers WHERE n <= 50""",
    """INSERT INTO notifications (id, job_id, type, sequence, created_at, body)
        SELECT 'ntf_' || n, 'job_' || n, 'job.succeeded', 1, n, 'body' FROM numbers""",
    """INSERT INTO deliveries (id, notification_id, subscriber_id, job_id, type, status, attempt_count, attempts_before,
        trigger, due_at, lease, created_at) SELECT 'dlv_' || n, 'ntf_' || n, 'sub_' || (n % 50 + 1), 'job_' || n,
        'job.succeeded', 'pending', 0, 0, 'schedule', n, 0, n FROM numbers""",
)
NUMBERS = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :rows) "

Kept = Mapping[str, tuple[Mapping[str, Any], ...]]


def older(connection: Connection) -> None:
    """A database of the schema before lanes, with something in it."""
    to(connection, "0001")
    for statement in FILL:
        into, _, rows = statement.partition("SELECT")
        if connection.dialect.name == "postgresql":
            rows = rows.replace("'body'", "CAST('body' AS BYTEA)")
        connection.execute(text(f"{into} {NUMBERS} SELECT {rows}"), {"rows": ROWS})


def schema_of(connection: Connection) -> dict[str, Any]:
    """Every table with its columns and indexes."""
    found = inspect(connection)
    return {
        name: (
            sorted(column["name"] for column in found.get_columns(name)),
            sorted((str(index["name"]), tuple(index["column_names"])) for index in found.get_indexes(name)),
        )
        for name in found.get_table_names()
    }


def kept(connection: Connection) -> Kept:
    """Every row of the tables that have some, without what the upgrade adds."""
    tables = {
        "subscribers": "id, url",
        "notifications": "id, job_id",
        "deliveries": "id, subscriber_id, status, due_at",
    }
    return {
        name: tuple(dict(row._mapping) for row in connection.execute(text(f"SELECT {wanted} FROM {name} ORDER BY id")))
        for name, wanted in tables.items()
    }


def killed(url: str, moment: str) -> None:
    """Lets a process upgrade the database and be killed there."""
    command = [sys.executable, "-c", MIGRATE, url, moment]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (-signal.SIGKILL, ""), moment


async def look(url: str) -> tuple[str | None, dict[str, Any], Kept]:
    """What the next process finds: the version, the schema and the rows."""
    database = await open_database(url)
    try:
        found, _ = await database.version()
        return found, await database.read(schema_of), await database.read(kept)
    finally:
        await database.close()


async def test_an_upgrade_that_is_killed_has_not_begun_or_is_done(database_url: str) -> None:
    database = await open_database(database_url)
    await database.write(older)
    await database.close()
    before = await look(database_url)
    assert before[0] == "0001"
    assert len(before[2]["deliveries"]) == ROWS

    for moment in MIDST:
        killed(database_url, moment)
        assert await look(database_url) == before, moment

    killed(database_url, "COMMITTED")
    found, schema, rows = await look(database_url)
    assert (found, rows) == (migration.HEAD, before[2]), "this start completed it, whatever became of the process"
    assert "deliveries_under_way" in dict(schema["deliveries"][1])
    database = await open_database(database_url)
    await database.migrate()
    assert await database.read(schema_of) == schema, "nothing was left to do"
    count = "SELECT (SELECT count(*) FROM lanes), (SELECT count(*) FROM deliveries WHERE lane = subscriber_id)"
    assert await database.read(lambda connection: tuple(connection.execute(text(count)).one())) == (50, ROWS)
    await database.close()
