"""What keeps the database from tidying up behind itself, and `serial.settled` from going on.

PostgreSQL cannot remove rows that an open transaction might still read, and who reads on by serial waits for the oldest
transaction that has written. SQLite cannot begin its WAL anew while somebody reads from it.
"""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, text

# A transaction in another database of the server holds us back only once it has written. Of other users' transactions
# PostgreSQL tells the beginning only to a superuser or a member of pg_read_all_stats.
_OLDEST = """
SELECT pid, CAST(extract(epoch FROM clock_timestamp() - xact_start) * 1000 AS BIGINT) AS age
FROM pg_stat_activity
WHERE (datname = current_database() OR backend_xid IS NOT NULL)
  AND backend_type = 'client backend' AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
ORDER BY xact_start LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """A transaction that began `age` milliseconds ago, and the process of the PostgreSQL server that it runs in."""

    pid: int
    age: int


def oldest(connection: Connection) -> OpenTransaction | None:
    """The oldest transaction beside the caller's own. None where there is none, and on SQLite, which cannot tell."""
    if connection.dialect.name != "postgresql":
        return None
    row = connection.execute(text(_OLDEST)).one_or_none()
    return None if row is None else OpenTransaction(row.pid, row.age)


def wal_size(connection: Connection) -> int:
    """How many bytes SQLite's write-ahead log takes; 0 on PostgreSQL.

    SQLite uses a large one again once nobody reads from it, and leaves it as large as it is.
    """
    if connection.dialect.name != "sqlite":
        return 0
    files = {row.name: row.file for row in connection.execute(text("PRAGMA database_list"))}
    try:
        return Path(files["main"] + "-wal").stat().st_size
    except FileNotFoundError:
        return 0
