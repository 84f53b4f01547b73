"""Many rows in one statement: what the hot paths write with.

Sent one by one, each row passes through SQLAlchemy's parameters, and on SQLite through the interpreter's lock, which
the thread that serves requests waits for too. So a SQLite statement takes many rows at once, as a list of values; on
PostgreSQL the driver sends many executions in one go already.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Dialect, Select, Table, bindparam, insert, update
from sqlalchemy.dialects import sqlite

Row = Mapping[str, Any]
Values = tuple[Any, ...]
Convert = Callable[[Any], Any]
# The names in the statements below are those of our own columns.

_SQLITE = sqlite.dialect()

MOST = 256
"""Rows a statement. Fewer sizes would stay prepared, but several statements cost more than preparing one."""


class ByIds:
    """A query over rows with certain ids, which it takes as the expanding parameter `ids`."""

    def __init__(self, query: Select[Any]) -> None:
        self._query = query

    def __call__(self, connection: Connection, ids: Iterable[str]) -> Iterable[Values]:
        """The rows, as tuples."""
        wanted = sorted(set(ids))
        if connection.dialect.name != "sqlite":
            return [tuple(row) for row in connection.execute(self._query, {"ids": wanted})]
        before, after = self._text
        found = connection.exec_driver_sql(f"{before}{', '.join('?' * len(wanted))}{after}", tuple(wanted)).all()
        if not found:
            return ()
        columns = list(zip(*found, strict=True))
        for place, read in self._readers:
            columns[place] = tuple([None if value is None else read(value) for value in columns[place]])
        return zip(*columns, strict=True)

    @cached_property
    def _text(self) -> tuple[str, str]:
        """SQLite's, before and after the ids."""
        before, _, after = str(self._query.compile(dialect=_SQLITE)).partition("__[POSTCOMPILE_ids]")
        return before, after

    @cached_property
    def _readers(self) -> list[tuple[int, Convert]]:
        """The places of the columns whose values come in another form from SQLite's driver, and how they are read."""
        kinds = [column.type for column in self._query.selected_columns]
        found = (kind.dialect_impl(_SQLITE).result_processor(_SQLITE, None) for kind in kinds)
        return _in_place(getattr(kind, "read", process) for kind, process in zip(kinds, found, strict=True))


def add(connection: Connection, table: Table, rows: Sequence[Row], **same: Any) -> None:
    """Inserts rows that all have the same columns; `same` are columns with one value for all."""
    if not rows:
        return
    names = tuple(rows[0])
    kept = itemgetter(*names)
    add_tuples(connection, table, names, [kept(row) for row in rows], **same)


def add_tuples(
    connection: Connection, table: Table, names: tuple[str, ...], rows: Sequence[Values], **same: Any
) -> None:
    """As `add`, of rows with these columns."""
    if not rows:
        return
    if connection.dialect.name != "sqlite":
        # What is the same may be an expression there.
        statement = _insert(table).values(**same) if same else _insert(table)
        connection.execute(statement, [dict(zip(names, row, strict=True)) for row in rows])
        return
    if same:
        names, constant = names + tuple(same), tuple(same.values())
        rows = [row + constant for row in rows]
    for part in _parts(rows):
        values = _values(table, names, part, connection.dialect)
        connection.exec_driver_sql(_insert_many(table, names, len(part)), values)


def change(connection: Connection, table: Table, names: tuple[str, ...], rows: Sequence[Values]) -> None:
    """Sets these columns of rows that are there. The first is the primary key."""
    if not rows:
        return
    if connection.dialect.name != "sqlite":
        new = [f"new_{name}" for name in names]
        connection.execute(_update(table, names), [dict(zip(new, row, strict=True)) for row in rows])
        return
    for part in _parts(rows):
        values = _values(table, names, part, connection.dialect)
        connection.exec_driver_sql(_update_many(table, names, len(part)), values)


def _parts(rows: Sequence[Values]) -> Iterator[Sequence[Values]]:
    for start in range(0, len(rows), MOST):
        yield rows[start : start + MOST]


def _values(table: Table, names: tuple[str, ...], rows: Sequence[Values], dialect: Dialect) -> tuple[Any, ...]:
    """All values of all rows, row by row, as the driver takes them."""
    values = list(chain.from_iterable(rows))
    for place, write in _writers(table, names, dialect):
        values[place :: len(names)] = [None if v is None else write(v) for v in values[place :: len(names)]]
    return tuple(values)


@lru_cache(maxsize=64)
def _writers(table: Table, names: tuple[str, ...], dialect: Dialect) -> list[tuple[int, Convert]]:
    """The places of the columns whose values are written in another form for the driver, and how."""
    kinds = [table.c[name].type for name in names]
    return _in_place(getattr(kind, "write", kind.dialect_impl(dialect).bind_processor(dialect)) for kind in kinds)


def _in_place(processes: Iterable[Convert | None]) -> list[tuple[int, Convert]]:
    return [(place, process) for place, process in enumerate(processes) if process is not None]


def _insert_many(table: Table, names: tuple[str, ...], count: int) -> str:
    return f"INSERT INTO {table.name} ({_quoted(names)}) VALUES {_places(names, count)}"  # noqa: S608


def _update_many(table: Table, names: tuple[str, ...], count: int) -> str:
    key, *others = names
    changes = ", ".join(f'"{name}" = new.column{number}' for number, name in enumerate(others, 2))
    places = _places(names, count)
    return f'UPDATE {table.name} SET {changes} FROM (VALUES {places}) AS new WHERE {table.name}."{key}" = new.column1'  # noqa: S608


def _places(names: tuple[str, ...], count: int) -> str:
    one = f"({', '.join('?' * len(names))})"
    return ", ".join([one] * count)


def _quoted(names: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in names)


_insert = lru_cache(maxsize=64)(insert)


@lru_cache(maxsize=64)
def _update(table: Table, names: tuple[str, ...]) -> Any:
    key, *others = names
    return (
        update(table)
        .where(table.c[key] == bindparam(f"new_{key}"))
        .values({name: bindparam(f"new_{name}") for name in others})
    )
