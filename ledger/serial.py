"""Which transaction wrote a row, so that who reads on from where they stopped skips nothing that commits late.

On SQLite transactions follow each other, and so do their numbers. On PostgreSQL the number is the transaction's own
(`xid8`): they commit in any order, but all below the oldest that still runs have ended.
"""

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, func, select, text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from ledger.schema import notifications


class Serial(ColumnElement[int]):
    """The number of the transaction that inserts a notification, as an SQL expression."""

    type = BigInteger()
    inherit_cache = True


@compiles(Serial, "sqlite")
def _sqlite(element: Serial, compiler: SQLCompiler, **options: Any) -> str:
    return "(SELECT coalesce(max(serial), 0) + 1 FROM notifications)"


@compiles(Serial, "postgresql")
def _postgresql(element: Serial, compiler: SQLCompiler, **options: Any) -> str:
    return "CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT)"


def settled(connection: Connection) -> int:
    """The highest serial whose rows are all there: none at or below it can still come to be."""
    if connection.dialect.name == "postgresql":
        oldest = text("SELECT CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS TEXT) AS BIGINT) - 1")
        return int(connection.execute(oldest).scalar_one())
    return int(connection.execute(select(func.coalesce(func.max(notifications.c.serial), 0))).scalar_one())
