"""The queues that deliveries wait in, and how each is doing."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, fields
from urllib.parse import urlsplit

from sqlalchemy import Connection, bindparam, delete, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from ledger import bulk
from ledger.lane import Lane
from ledger.schema import lanes as table
from ledger.schema import subscribers

_CHANGING = [column.name for column in fields(Lane) if column.name != "key"]
_UPDATE = (
    update(table)
    .where(table.c.key == bindparam("this_key"))
    .values({name: bindparam(f"new_{name}") for name in _CHANGING})
)

_ONE_OF = table.c.key.in_(bindparam("ids", expanding=True))
_THESE = bulk.ByIds(select(table).where(_ONE_OF))
_HOLD = bulk.ByIds(select(table).where(_ONE_OF).order_by(table.c.key).with_for_update())
_HOLD_FREE = bulk.ByIds(
    select(*table.c, subscribers.c.max_in_flight, subscribers.c.rate_limit)
    .outerjoin(subscribers, subscribers.c.id == table.c.key)
    .where(_ONE_OF)
    .order_by(table.c.key)
    .with_for_update(skip_locked=True, of=table)
)

_PORTS = {"https": 443, "http": 80}

# From each lane to the next along the index, as if there were a "distinct" that does not read every row.
_WAITING = """
WITH RECURSIVE waiting (lane) AS (
  SELECT min(lane) FROM deliveries INDEXED WHERE status IN ('pending', 'delivering')
  UNION ALL
  SELECT (SELECT min(lane) FROM deliveries INDEXED WHERE status IN ('pending', 'delivering') AND lane > waiting.lane)
  FROM waiting WHERE waiting.lane IS NOT NULL
)
SELECT lane, (
  SELECT min(due_at) FROM deliveries INDEXED
  WHERE status IN ('pending', 'delivering') AND deliveries.lane = waiting.lane
) AS due
FROM waiting WHERE lane IS NOT NULL
"""
_WAITING_ON = {
    # Left to itself, SQLite takes the index by status and reads all that is open for each lane.
    "sqlite": text(_WAITING.replace("INDEXED", "INDEXED BY deliveries_open")),
    "postgresql": text(_WAITING.replace("INDEXED", "")),
}


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


def waiting(connection: Connection) -> list[tuple[str, int]]:
    """Each lane that has something open, and when the first of it is due; the most overdue first.

    The cost depends on the number of these lanes, not on how much waits in any of them.
    """
    found = connection.execute(_WAITING_ON[connection.dialect.name])
    return sorted(((row.lane, row.due) for row in found), key=lambda one: (one[1], one[0]))


def get(connection: Connection, keys: Collection[str]) -> dict[str, Lane]:
    """These lanes as they are, by key."""
    return {row[0]: Lane.of(row) for row in _THESE(connection, keys)}


def hold(connection: Connection, keys: Collection[str]) -> dict[str, Lane]:
    """Holds lanes until the transaction ends, in key order."""
    return {row[0]: Lane.of(row) for row in _HOLD(connection, keys)}


def hold_free(connection: Connection, keys: Collection[str]) -> dict[str, tuple[Lane, int | None, float | None]]:
    """Holds those of the lanes that nobody else holds; with each how many may be sent at once and in a second, where
    its subscriber says so."""
    return {row[0]: (Lane.of(row), *row[-2:]) for row in _HOLD_FREE(connection, keys)}


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
