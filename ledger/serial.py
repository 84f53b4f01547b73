"""Which transaction wrote a row, so that who reads on from where they stopped skips nothing that commits late.

On SQLite transactions follow each other, and are counted. The count is kept: what the newest row says would go back
when that row is erased, and the next one would hide among those that were read. On PostgreSQL the number is the
transaction's own (`xid8`): they commit in any order, but all below the oldest that still runs have ended.
"""

from sqlalchemy import ColumnElement, Connection, Integer, cast, func, insert, literal_column, select, text, update

from ledger.schema import facts, notifications

_LAST = "last_serial"


def take(connection: Connection) -> ColumnElement[int] | int:
    """The number of this transaction, for the rows that it is about to write."""
    if connection.dialect.name == "postgresql":
        return literal_column("CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT)")
    number = settled(connection) + 1
    # One writer: nobody can have come between.
    kept = connection.execute(update(facts).where(facts.c.name == _LAST).values(value=str(number)))
    if kept.rowcount == 0:
        connection.execute(insert(facts).values(name=_LAST, value=str(number)))
    return number


def settled(connection: Connection) -> int:
    """The highest serial whose rows are all there: none at or below it can still come to be."""
    if connection.dialect.name == "postgresql":
        oldest = text("SELECT CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS TEXT) AS BIGINT) - 1")
        return int(connection.execute(oldest).scalar_one())
    last = select(cast(facts.c.value, Integer)).where(facts.c.name == _LAST).scalar_subquery()
    # Before anything was counted.
    highest = select(func.max(notifications.c.serial)).scalar_subquery()
    return int(connection.execute(select(func.coalesce(last, highest, 0))).scalar_one())
