"""Keyset pages, newest first: ids sort by time, so a cursor is the last id that was seen."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Row, Select, Table

from ledger.errors import LedgerError
from ledger.ids import is_id

T = TypeVar("T")

DEFAULT_LIMIT = 50
MAX_LIMIT = 250


class BadCursor(LedgerError):
    """The cursor is not one of ours, or belongs to another list."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items, and the cursor that continues after them; None at the end."""

    data: Sequence[T]
    next_cursor: str | None


def page(
    connection: Connection, query: Select[Any], table: Table, prefix: str, *, cursor: str | None, limit: int
) -> Page[Row[Any]]:
    """Runs a query over a table with an `id` column, one page of it. Raises `BadCursor`."""
    if cursor is not None:
        query = query.where(table.c.id < last_seen(cursor, prefix))
    rows = connection.execute(query.order_by(table.c.id.desc()).limit(limit + 1)).all()
    more = len(rows) > limit
    return Page(rows[:limit], cursor_of(rows[limit - 1].id) if more else None)


def cursor_of(last_id: str) -> str:
    """The cursor that continues after the item with that id."""
    return base64.urlsafe_b64encode(last_id.encode("ascii")).decode("ascii").rstrip("=")


def last_seen(cursor: str, prefix: str) -> str:
    """The id that such a cursor continues after. Raises `BadCursor`."""
    try:
        last_id = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        last_id = ""
    if not is_id(last_id, prefix):
        raise BadCursor("the cursor is not from this list; leave it out to begin at the newest")
    return last_id
