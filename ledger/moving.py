"""Moves a whole installation's rows from one database to another, whichever of them is SQLite or PostgreSQL.

Nobody may write to the first meanwhile. The second is marked until all of it is there, so that a move which was
interrupted is seen, and done again from its beginning.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection, Integer, Row, Table, delete, func, insert, select

from ledger.database import Database
from ledger.errors import CannotOpen, Refused
from ledger.schema import facts, schema

PART = 1_000
"""Rows that are read and written at once."""

_MARK = "moving"


@dataclass(frozen=True, slots=True)
class Content:
    """What a table holds: how many rows, and a digest of them that does not depend on their order."""

    table: str
    rows: int
    digest: str


async def move(
    source: Database, target: Database, on_progress: Callable[[str, int, int], None] = lambda *_: None
) -> list[Content]:
    """Copies every row and compares both sides; what each table holds.

    `on_progress` gets a table's name, how many of its rows are there, and of how many. Raises `Refused` where the
    target already holds something of its own, `CannotOpen` where one of them has another schema or the copy differs.
    """
    for database in (source, target):
        found, needed = await database.version()
        if found != needed:
            raise CannotOpen(
                f"a database has schema {found or 'none'}, this version needs {needed}: "
                "run postback migrate --database-url with its URL first"
            )
    await target.write(_begin)
    moved = [await _copy(source, target, table, on_progress) for table in schema.sorted_tables]
    for content in moved:
        held = await target.read(partial(look, table=schema.tables[content.table]))
        if held != content:
            raise CannotOpen(
                f"{content.table} arrived with {held.rows} rows of {content.rows}, or with other content. "
                "The source is as it was: was something still running on it? Move it again"
            )
    await target.write(_end)
    return moved


def look(connection: Connection, table: Table) -> Content:
    """What a table holds, the mark of a move left out."""
    sum_, rows = 0, 0
    for part in _parts(connection, table):
        rows += len(part)
        sum_ += _sum(part)
    return Content(table.name, rows, _digest(sum_))


def check_complete(connection: Connection) -> None:
    """Raises `CannotOpen` for a database that is the target of an unfinished move."""
    if connection.scalar(select(facts.c.value).where(facts.c.name == _MARK)) is not None:
        raise CannotOpen(
            "the database was not moved here completely: run the same postback migrate --from … --to … again"
        )


async def _copy(
    source: Database, target: Database, table: Table, on_progress: Callable[[str, int, int], None]
) -> Content:
    count = await source.read(partial(_count, table=table))
    sum_, done, last = 0, 0, None
    on_progress(table.name, 0, count)
    while part := await source.read(partial(_part, table=table, last=last)):
        await target.write(partial(_insert, table=table, part=part))
        sum_ += _sum(part)
        done += len(part)
        last = _key(table, part[-1])
        on_progress(table.name, done, count)
    return Content(table.name, done, _digest(sum_))


def _begin(connection: Connection) -> None:
    """Marks the target, and empties it of an earlier move that was interrupted."""
    marked = connection.scalar(select(facts.c.value).where(facts.c.name == _MARK)) is not None
    for table in reversed(schema.sorted_tables):
        if marked:
            connection.execute(delete(table))
        elif connection.execute(select(table).limit(1)).first() is not None:
            raise Refused(f"the database to move to is not empty: {table.name} has rows. Name a new one")
    connection.execute(insert(facts).values(name=_MARK, value="1"))


def _end(connection: Connection) -> None:
    connection.execute(delete(facts).where(facts.c.name == _MARK))
    if connection.dialect.name == "postgresql":
        # What the database numbers by itself goes on after what came with a number.
        for table in schema.sorted_tables:
            if isinstance(table.c.get("id", facts.c.name).type, Integer):
                sequence = func.pg_get_serial_sequence(table.name, "id")
                connection.execute(select(func.setval(sequence, func.max(table.c.id))))


def _count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _insert(connection: Connection, table: Table, part: Sequence[Row[Any]]) -> None:
    connection.execute(insert(table), [dict(row._mapping) for row in part])


def _parts(connection: Connection, table: Table) -> Iterator[Sequence[Row[Any]]]:
    last = None
    while part := _part(connection, table, last):
        yield part
        last = _key(table, part[-1])


def _part(connection: Connection, table: Table, last: Any) -> Sequence[Row[Any]]:
    (key,) = table.primary_key
    query = select(table).order_by(key).limit(PART)
    if table is facts:
        query = query.where(key != _MARK)
    return connection.execute(query if last is None else query.where(key > last)).all()


def _key(table: Table, row: Row[Any]) -> Any:
    (key,) = table.primary_key
    return row._mapping[key]


def _sum(rows: Sequence[Row[Any]]) -> int:
    return sum(int.from_bytes(hashlib.sha256(repr(tuple(row)).encode()).digest()) for row in rows)


def _digest(sum_: int) -> str:
    return f"{sum_ % (1 << 256):064x}"
