"""Which transaction wrote a row, so that who reads on from where they stopped skips nothing that commits late.

On SQLite transactions follow each other, and are counted. The count is kept: what the newest row says would go back
when that row is erased, and the next one would hide among those that were read. On PostgreSQL the number is the
transaction's own (`xid8`): they commit in any order, but all below the oldest that still runs have ended. A new
cluster begins them low again, so rows that come from elsewhere raise the base that is added to them.
"""

from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Text, cast, func, insert, literal_column, select, update
from sqlalchemy.dialects import sqlite

from ledger.moment import Moment
from ledger.schema import facts, notifications

_LAST = "last_serial"
_BASE = "serial_base"


def _kept(name: str) -> ColumnElement[int]:
    return select(cast(facts.c.value, BigInteger)).where(facts.c.name == literal_column(f"'{name}'")).scalar_subquery()


def _number(xid8: ColumnElement[Any]) -> ColumnElement[int]:
    return cast(cast(xid8, Text), BigInteger)


_base = func.coalesce(_kept(_BASE), literal_column("0"))
_own = _number(func.pg_current_xact_id()) + _base
_ended = select(_number(func.pg_snapshot_xmin(func.pg_current_snapshot())) - literal_column("1") + _base)
# One statement, one snapshot: what it sees was written by transactions that it counts as begun.
_ahead = select(
    func.max(notifications.c.serial) - _number(func.pg_snapshot_xmax(func.pg_current_snapshot())) + 1, _base
)
# Before anything was counted, the highest that is there.
_counted = select(
    func.coalesce(_kept(_LAST), select(func.max(notifications.c.serial)).scalar_subquery(), literal_column("0"))
)

_next = (
    sqlite.insert(facts)
    .values(name=literal_column(f"'{_LAST}'"), value=_counted.scalar_subquery() + literal_column("1"))
    .on_conflict_do_update(
        index_elements=[facts.c.name], set_={"value": cast(facts.c.value, BigInteger) + literal_column("1")}
    )
    .returning(cast(facts.c.value, BigInteger))
)


def take(connection: Connection) -> ColumnElement[int] | int:
    """The number of this transaction, for the rows that it is about to write."""
    if connection.dialect.name == "postgresql":
        return _own
    return int(connection.exec_driver_sql(_next_text()).scalar_one())


@lru_cache(maxsize=1)
def _next_text() -> str:
    return str(_next.compile(dialect=sqlite.dialect()))  # it has no values


def settled(connection: Connection) -> int:
    """The highest serial whose rows are all there: none at or below it can still come to be."""
    query = _ended if connection.dialect.name == "postgresql" else _counted
    return int(connection.execute(query).scalar_one())


def rebase(connection: Connection, moment: Moment) -> None:
    """Numbers what is written from now on after all that is there, also where it was restored into a new cluster."""
    if connection.dialect.name == "postgresql":
        base, known = connection.execute(_ahead).one()
        if base is not None and base > known:
            _keep(connection, _BASE, base)


def _keep(connection: Connection, name: str, number: int) -> None:
    kept = connection.execute(update(facts).where(facts.c.name == name).values(value=str(number)))
    if kept.rowcount == 0:
        connection.execute(insert(facts).values(name=name, value=str(number)))
