"""What happens, in an order that can be read on from any place: notifications by the transaction that wrote them."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import ColumnElement, Connection, Row, and_, func, or_, select

from ledger.errors import LedgerError
from ledger.events import EVENTS, wants
from ledger.ids import is_id
from ledger.schema import notifications as table
from ledger.serial import settled

_SHAPE = re.compile(r"([0-9]{1,18})(?:\.(ntf_[0-9a-z]{26}))?")


class BadPlace(LedgerError):
    """The text is no cursor of this stream."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the stream: behind that row, or behind all rows with that serial. Written `123.ntf_…` or `123`."""

    serial: int
    id: str | None = None

    @classmethod
    def read(cls, text: str) -> Self:
        """The cursor that was written so. Raises `BadPlace`."""
        parts = _SHAPE.fullmatch(text)
        if parts is None or (parts[2] and not is_id(parts[2], "ntf")):
            raise BadPlace("that is no place in the stream; take the id of an event that came from it")
        return cls(int(parts[1]), parts[2])

    def __str__(self) -> str:
        return f"{self.serial}.{self.id}" if self.id else str(self.serial)

    def behind(self) -> ColumnElement[bool]:
        """Which rows come after it."""
        later = table.c.serial > self.serial
        if self.id is None:
            return later
        # The first half is implied; it is what lets both databases begin in the index.
        return and_(
            table.c.serial >= self.serial, or_(later, and_(table.c.serial == self.serial, table.c.id > self.id))
        )


@dataclass(frozen=True, slots=True)
class Slice:
    """Some rows in their order, and where to read on; `more` says whether there may be others already."""

    rows: Sequence[Row[Any]]
    cursor: Cursor
    more: bool


def now(connection: Connection) -> Cursor:
    """The place behind all that can no longer change: what commits from now on comes after it."""
    return Cursor(settled(connection))


def head(connection: Connection) -> int:
    """The highest serial that can be read; 0 where there is nothing."""
    found = select(func.max(table.c.serial)).where(table.c.serial <= settled(connection))
    return int(connection.execute(found).scalar() or 0)


def read(connection: Connection, cursor: Cursor, events: Collection[str], limit: int) -> Slice:
    """Up to `limit` rows behind a cursor, of these event types; patterns as a subscriber's, e.g. `job.*`.

    Raises `BadPlace` for a cursor from ahead of all there is: the database is not the one that it came from, or was
    put back to an earlier state.
    """
    end = settled(connection)
    if cursor.serial > end:
        raise BadPlace(
            "that place in the stream is ahead of the database, which was put back to an earlier state or is another; "
            "leave it out to read from now on"
        )
    query = select(table).where(cursor.behind(), table.c.serial <= end)
    wanted = [event for event in EVENTS if wants(events, event)]
    if len(wanted) < len(EVENTS):
        query = query.where(table.c.type.in_(wanted))
    rows = connection.execute(query.order_by(table.c.serial, table.c.id).limit(limit)).all()
    if len(rows) < limit:
        return Slice(rows, Cursor(end), more=False)
    return Slice(rows, place_of(rows[-1]), more=True)


def place_of(row: Row[Any]) -> Cursor:
    """The place right behind a row."""
    return Cursor(row.serial, row.id)
