"""The queues that deliveries wait in, and how much of each may be sent.

The cost depends on the number of lanes that have something open, not on how much waits in any of them.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, Integer, bindparam, column, func, select, text

from ledger import bulk
from ledger.columns import in_states
from ledger.lane import Lane
from ledger.schema import deliveries, lanes, subscribers

# From each lane to the next along the index, as if there were a "distinct" that does not read every row.
_WAITING = """
WITH RECURSIVE lane_by_lane (lane) AS (
  SELECT min(lane) FROM deliveries INDEXED WHERE status IN ('pending', 'delivering')
  UNION ALL
  SELECT (SELECT min(lane) FROM deliveries INDEXED WHERE status IN ('pending', 'delivering') AND lane > before.lane)
  FROM lane_by_lane AS before WHERE before.lane IS NOT NULL
),
waiting AS MATERIALIZED (
  SELECT lane, (
    SELECT min(due_at) FROM deliveries INDEXED
    WHERE status IN ('pending', 'delivering') AND deliveries.lane = lane_by_lane.lane
  ) AS due
  FROM lane_by_lane WHERE lane IS NOT NULL
)
SELECT lane, due FROM waiting
"""
# Left to itself, SQLite takes the index by status and reads all that is open for each lane.
_ON_SQLITE = _WAITING.replace("INDEXED", "INDEXED BY deliveries_open")
_WAITING_ON = {"sqlite": text(_ON_SQLITE), "postgresql": text(_WAITING.replace("INDEXED", ""))}

# Where nobody else writes, nothing has to be held, and it is one question.
_STATE = [subscribers.c.max_in_flight, subscribers.c.rate_limit, *lanes.c]
_ALL_AT_ONCE = text(
    _ON_SQLITE.replace(
        "SELECT lane, due FROM waiting",
        f"""
SELECT waiting.lane, due, (
  SELECT count(*) FROM deliveries
  WHERE status IN ('delivering') AND deliveries.lane = waiting.lane AND due_at > :now AND due <= :now
) AS busy, {", ".join(str(one) for one in _STATE)}
FROM waiting LEFT JOIN lanes ON lanes.key = waiting.lane LEFT JOIN subscribers ON subscribers.id = waiting.lane
""",  # noqa: S608 - the names of our own columns
    )
).columns(column("lane"), column("due", Integer), column("busy", Integer), *_STATE)

_HOLD_FREE = bulk.ByIds(
    select(*_STATE)
    .select_from(lanes.outerjoin(subscribers, subscribers.c.id == lanes.c.key))
    .where(lanes.c.key.in_(bindparam("ids", expanding=True)))
    .order_by(lanes.c.key)
    .with_for_update(skip_locked=True, of=lanes)
)
_UNDER_WAY = (
    select(deliveries.c.lane, func.count())
    .where(in_states(deliveries, "delivering"), deliveries.c.due_at > bindparam("now"))
    .where(deliveries.c.lane.in_(bindparam("lanes", expanding=True)))
    .group_by(deliveries.c.lane)
)


class Queue(NamedTuple):
    """A lane that has something open, and when the first of it is due.

    Of one that is due, and that nobody else holds, also how the lane is doing, how many attempts are under way, and how
    many its subscriber allows at once and in a second, where it says so.
    """

    key: str
    due: int
    busy: int = 0
    max_in_flight: int | None = None
    rate_limit: float | None = None
    lane: Lane | None = None


def waiting(connection: Connection) -> list[Queue]:
    """All queues, the most overdue first."""
    return _sorted([Queue(*row) for row in connection.execute(_WAITING_ON[connection.dialect.name])])


def hold(connection: Connection, now: int) -> list[Queue]:
    """As `waiting`, with all that is known of those that are due, which are held until the transaction ends."""
    if connection.dialect.name == "sqlite":
        return _sorted([_queue(row[:3], row[3:]) for row in connection.execute(_ALL_AT_ONCE, {"now": now})])
    found = waiting(connection)
    ready = [queue.key for queue in found if queue.due <= now]
    if not ready:
        return found
    held = {row[_KEY]: row for row in _HOLD_FREE(connection, ready)}
    # Only now: who held them before may have begun more.
    busy = dict[str, int](connection.execute(_UNDER_WAY, {"now": now, "lanes": ready}).all())
    return [
        _queue((queue.key, queue.due, busy.get(queue.key, 0)), held[queue.key]) if queue.key in held else queue
        for queue in found
    ]


_KEY = 2
"""The place of the lane's key in `_STATE`."""


def _queue(known: Sequence[object], state: Sequence[object]) -> Queue:
    lane = None if state[_KEY] is None else Lane.of(state[_KEY:])
    return Queue(*known, *state[:_KEY], lane)  # type: ignore[arg-type, call-arg]


def _sorted(queues: list[Queue]) -> list[Queue]:
    return sorted(queues, key=lambda queue: (queue.due, queue.key))
