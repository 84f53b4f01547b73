"""What was received: kept before it is answered, each message once, until `handle.py` has dealt with it.

In your application this is a table of the database that you have. A queue such as Celery's may take the place of
`handle.py`; the table stays, because it knows what came already.
"""

import sqlite3
from contextlib import closing

TABLE = """CREATE TABLE IF NOT EXISTS inbox (
  id TEXT PRIMARY KEY, body BLOB NOT NULL, handled INTEGER NOT NULL DEFAULT 0
)"""


class Inbox:
    """A table in a SQLite file. Any number of threads and processes may use it."""

    def __init__(self, path: str = "inbox.sqlite3") -> None:
        self._path = path
        self._run(TABLE)

    def keep(self, id: str, body: bytes) -> None:
        """Keeps a message by its webhook-id. One that is there already, handled or not, stays as it is."""
        self._run("INSERT OR IGNORE INTO inbox (id, body) VALUES (?, ?)", id, body)

    def waiting(self) -> list[tuple[str, bytes]]:
        """What is not handled yet, in the order in which it came."""
        return self._run("SELECT id, body FROM inbox WHERE NOT handled ORDER BY rowid")

    def done(self, id: str) -> None:
        """Marks a message as handled."""
        self._run("UPDATE inbox SET handled = 1 WHERE id = ?", id)

    def _run(self, statement: str, *values: object) -> list[tuple[str, bytes]]:
        with closing(sqlite3.connect(self._path, timeout=10)) as database, database:
            return database.execute(statement, values).fetchall()
