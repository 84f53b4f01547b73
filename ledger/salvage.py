"""Rows of which some may be damaged: one that cannot be read must not hide the others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, Row, Select

from ledger.errors import Damaged


@dataclass(frozen=True, slots=True)
class Wreck:
    """A row that is there and cannot be read."""

    id: str


def read(connection: Connection, query: Select[Any], id: Column[str]) -> Sequence[Row[Any] | Wreck]:
    """What a bounded query finds, in its order. Only where something is damaged is each row read by itself."""
    try:
        return connection.execute(query).all()
    except Damaged:
        found = connection.execute(query.with_only_columns(id)).scalars().all()
        return [_one(connection, query, id, its) for its in found]


def _one(connection: Connection, query: Select[Any], id: Column[str], its: str) -> Row[Any] | Wreck:
    try:
        return connection.execute(query.where(id == its)).one()
    except Damaged:
        return Wreck(its)
