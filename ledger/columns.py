"""What the tables' columns are made of: JSON and other people's text in forms that both databases can keep."""

from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Dialect,
    Index,
    LargeBinary,
    Table,
    Text,
    TypeDecorator,
    func,
    literal_column,
    text,
)

from ledger.errors import Damaged
from ledger.jsontext import compact

_decode = msgspec.json.Decoder().decode


class Json(TypeDecorator[Any]):
    """A JSON value as text. Not JSONB: PostgreSQL refuses `\\u0000` there, and numbers must stay as they came."""

    impl = Text
    cache_ok = True

    write = staticmethod(compact)

    @staticmethod
    def read(value: str) -> Any:
        """Raises `Damaged` for what is no JSON any more."""
        try:
            return _decode(value)
        except msgspec.DecodeError:
            raise Damaged from None

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else self.write(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else self.read(value)


class Words(TypeDecorator[str]):
    """Text as others sent it. PostgreSQL cannot store U+0000, which JSON may hold: it is kept as U+FFFD."""

    impl = Text
    cache_ok = True

    @staticmethod
    def write(value: str) -> str:
        """As it is kept."""
        return value.replace("\0", "\N{REPLACEMENT CHARACTER}")

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else self.write(value)


def key(name: str = "id", **options: Any) -> Column[str]:
    """An id."""
    return Column(name, Text, **options)


def when(name: str, **options: Any) -> Column[int]:
    """A time, in UTC milliseconds."""
    return Column(name, BigInteger, **options)


def partial(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index of those rows only for which `where` holds."""
    return Index(name, *columns, unique=unique, postgresql_where=text(where), sqlite_where=text(where))


def beginning(column: Column[Any], length: int, kind: type[Text] | type[LargeBinary] = Text) -> ColumnElement[Any]:
    """The first characters of a text, or bytes, under the column's name: as they stand there, damaged or not."""
    return func.substr(column, 1, length, type_=kind).label(column.name)


def in_states(table: Table, *states: str) -> ColumnElement[bool]:
    """`status IN (…)` with the states as literals: only then does a database see that a partial index fits."""
    return table.c.status.in_([literal_column(f"'{state}'") for state in states])
