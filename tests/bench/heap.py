"""A SQLite database with very many jobs in it, each with its callback, its notification and a pending delivery.

One of each is written as the program writes it; the others are copies under ids of their own, made within SQLite, or a
million would take a quarter of an hour.
"""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from builders import arrival, subscribed
from sqlalchemy import Connection, Table, insert

from ledger.accept import accept
from ledger.clock import DAY, system_now
from ledger.job import Job
from ledger.ledger import Ledger, open_database
from ledger.moment import Moment
from ledger.schema import callbacks, deliveries, jobs, notifications
from providers import PROVIDERS

from .stock import RESULT, SEALED, TASK, tell_no_more

COPIED = (jobs, callbacks, notifications, deliveries)
OWN = {"job_id": "job_", "notification_id": "ntf_", "task_id": "task-"}
PREFIXES = {"jobs": "job_", "callbacks": "cb_", "notifications": "ntf_", "deliveries": "dlv_"}


def heap(path: Path, count: int, hook: str) -> str:
    """The URL of a new database with so many. The deliveries, all of one subscriber at `hook`, are due in a day."""
    url = f"sqlite:///{path}"
    asyncio.run(_first(url, hook))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        for table in COPIED:
            connection.execute(_copies(table), {"count": count - 1})
        connection.execute("UPDATE deliveries SET due_at = ?", (system_now() + DAY,))
        connection.execute("COMMIT")
        connection.execute("ANALYZE")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return url


def make_due(path: Path) -> None:
    """All that the heap's subscriber is owed is due now, the oldest first."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE deliveries SET due_at = created_at WHERE status = 'pending'")
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


async def _first(url: str, hook: str) -> None:
    ledger = Ledger(await open_database(url))
    try:
        await ledger.database.migrate()
        await subscribed(ledger, url=hook, sealed_secret=SEALED)
        job = await ledger.write(_pending)
        reading = PROVIDERS["acedata"].read_callback(RESULT)
        if await ledger.write(accept, [arrival(job, reading, RESULT)]) != ["accepted"]:
            raise SystemExit("the heap's first callback was not accepted")
        await ledger.write(tell_no_more)
    finally:
        await ledger.close()


def _pending(connection: Connection, moment: Moment) -> Job:
    job = Job(moment.id("job"), "acedata", "flux-dev", "pending", {"prompt": "a cat"}, {}, {}, moment.now)
    job = job._replace(task_id=TASK.decode(), submitted_at=moment.now, deadline_at=moment.now + DAY)
    connection.execute(insert(jobs), job._asdict())
    return job


def _copies(table: Table) -> str:
    own = OWN | {"id": PREFIXES[table.name]}
    number = "printf('%026d', numbers.number)"
    chosen = [f"'{own[column.name]}' || {number}" if column.name in own else column.name for column in table.columns]
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    return (
        "WITH RECURSIVE numbers (number) AS"
        " (SELECT 1 WHERE :count > 0 UNION ALL SELECT number + 1 FROM numbers WHERE number < :count)"
        f" INSERT INTO {table.name} ({names}) SELECT {', '.join(_quoted(one) for one in chosen)}"
        f" FROM numbers, (SELECT * FROM {table.name} LIMIT 1) AS one"
    )


def _quoted(expression: str) -> str:
    return f'"{expression}"' if expression.isidentifier() else expression
