"""How each queue of deliveries is doing."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, fields
from urllib.parse import urlsplit

from sqlalchemy import Connection, bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from ledger import bulk
from ledger.lane import Lane
from ledger.schema import lanes as table

_CHANGING = [column.name for column in fields(Lane) if column.name != "key"]
_UPDATE = (
    update(table)
    .where(table.c.key == bindparam("this_key"))
    .values({name: bindparam(f"new_{name}") for name in _CHANGING})
)

_ONE_OF = table.c.key.in_(bindparam("ids", expanding=True))
_THESE = bulk.ByIds(select(table).where(_ONE_OF))
_HOLD = bulk.ByIds(select(table).where(_ONE_OF).order_by(table.c.key).with_for_update())
_PORTS = {"https": 443, "http": 80}


def key_of(subscriber_id: str, url: str, job_id: str | None) -> str:
    """Which lane a subscriber's deliveries take: its own, or for a one-off the one of its URL's host."""
    if job_id is None:
        return subscriber_id
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    return f"{parts.scheme}://{host}:{parts.port or _PORTS.get(parts.scheme)}"


def open_lanes(connection: Connection, keys: Iterable[str]) -> None:
    """Makes sure that the lanes are there."""
    if new := [asdict(Lane(key)) for key in sorted(set(keys))]:
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        # The same words in both dialects, but not in the language they share.
        connection.execute(dialect.insert(table).on_conflict_do_nothing(), new)


def get(connection: Connection, keys: Collection[str]) -> dict[str, Lane]:
    """These lanes as they are, by key."""
    return {row[0]: Lane.of(row) for row in _THESE(connection, keys)}


def hold(connection: Connection, keys: Collection[str]) -> dict[str, Lane]:
    """Holds lanes until the transaction ends, in key order."""
    return {row[0]: Lane.of(row) for row in _HOLD(connection, keys)}


def save(connection: Connection, changed: Sequence[Lane]) -> None:
    """Writes lanes that this transaction holds."""
    if changed:
        connection.execute(
            _UPDATE,
            [{"this_key": lane.key} | {f"new_{name}": getattr(lane, name) for name in _CHANGING} for lane in changed],
        )


def close_lane(connection: Connection, key: str) -> None:
    """Forgets a lane."""
    connection.execute(delete(table).where(table.c.key == key))
