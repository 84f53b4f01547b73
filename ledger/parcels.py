"""Claiming deliveries that are due: ready lanes first, then the oldest few of each.

The cost depends on the number of lanes that have something open, not on how much waits in any of them.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil
from typing import Any, NamedTuple

from sqlalchemy import Connection, TextClause, bindparam, select, text, update

from ledger import bulk, lanes, queues
from ledger.clock import SECOND
from ledger.lane import DEFAULT_MAX_IN_FLIGHT, Lane
from ledger.moment import Moment
from ledger.queues import Queue
from ledger.schema import deliveries as table
from ledger.schema import notifications, subscribers

CATCH_UP = SECOND // 10
"""How far a paced lane may make up for a claim that came late, in milliseconds: enough to keep its rate."""

SOON = 50
"""When to look again for a lane that another process is claiming from, in milliseconds."""

# The states as literals, or no database would know that its index of open deliveries fits.
_OF_LANE = """
SELECT id FROM (
  SELECT id FROM deliveries WHERE lane = :lane_N AND status IN ('pending', 'delivering') AND due_at <= :now
  ORDER BY due_at LIMIT :count_N
) AS part_N
"""
# The due time is asked again under the lock: another forwarder may have claimed the row since.
_TAKE = """
WITH oldest AS MATERIALIZED (
  SELECT id FROM deliveries WHERE id IN (PARTS) AND status IN ('pending', 'delivering') AND due_at <= :now LOCKED
)
UPDATE deliveries SET status = 'delivering', due_at = :lent_until, lease = lease + 1
WHERE id IN (SELECT id FROM oldest) RETURNING id, lane
"""

_PARCELS = bulk.ByIds(
    select(
        table.c.id,
        table.c.lease,
        table.c.lane,
        table.c.attempt_count,
        table.c.attempts_before,
        table.c.due_at,
        table.c.trigger,
        table.c.type,
        table.c.job_id,
        table.c.notification_id,
        table.c.subscriber_id,
        notifications.c.body,
        notifications.c.traceparent,
        subscribers.c.enabled,
        subscribers.c.url,
        subscribers.c.payload,
        subscribers.c.schedule,
        subscribers.c.sealed_headers,
        subscribers.c.sealed_secret,
        subscribers.c.sealed_private_key,
        subscribers.c.old_secrets,
    )
    .join(notifications, notifications.c.id == table.c.notification_id)
    .join(subscribers, subscribers.c.id == table.c.subscriber_id)
    .where(table.c.id.in_(bindparam("ids", expanding=True)))
)


class Parcel(NamedTuple):
    """A delivery with all that an attempt of it needs: its notification's body and trace, and its subscriber."""

    id: str
    lease: int
    lane: str
    attempt_count: int
    attempts_before: int
    due_at: int
    trigger: str
    type: str
    job_id: str | None
    notification_id: str
    subscriber_id: str
    body: bytes
    traceparent: str | None
    enabled: bool
    url: str
    payload: str
    schedule: list[int] | None
    sealed_headers: str | None
    sealed_secret: str | None
    sealed_private_key: str | None
    old_secrets: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Claim:
    """What was claimed, and when more is due.

    `crowded` are the lanes that have more due than may be under way at once: theirs is the room that an end makes. If
    `full`, more was due than the limit allowed, and any end makes room.
    """

    rows: Sequence[Parcel]
    next_due: int | None
    crowded: frozenset[str] = frozenset()
    full: bool = False


@dataclass(frozen=True, slots=True)
class _Share:
    """How many deliveries of a lane may be taken now, at most, and where its pace begins to count."""

    lane: Lane
    busy: int
    count: int
    interval: float
    start: float


def claim(connection: Connection, moment: Moment, *, limit: int, lease: int, reserve: int = 0) -> Claim:
    """Takes due deliveries: ready lanes first, then the oldest few of each, so that none waits for another.

    `lease` is how long an attempt may take, in milliseconds. The last `reserve` of the `limit` are for lanes of which
    nothing is under way, one each.
    """
    waiting = queues.hold(connection, moment.now)
    later = [queue.due for queue in waiting if queue.due > moment.now]
    shares, more, crowded = _shares(connection, moment, [queue for queue in waiting if queue.due <= moment.now])
    given = _fair(shares, limit, reserve)
    taken = _take(connection, moment, given, lease)
    more += _paced(connection, given, list(taken.values()))
    counts = Counter(taken.values())
    used_up = {share.lane.key: share.count for share in given if counts[share.lane.key] >= share.count}
    without = {share.lane.key for share in shares} - {share.lane.key for share in given}
    full = bool(without) or any(used_up.get(share.lane.key, share.count) < share.count for share in shares)
    rows = _sendable(connection, moment, load(connection, taken))
    return Claim(rows, min(later + more, default=None), frozenset([*crowded, *used_up]), full)


def load(connection: Connection, ids: Collection[str]) -> list[Parcel]:
    """All that attempts of these deliveries need."""
    return [Parcel._make(row) for row in _PARCELS(connection, ids)] if ids else []


def _shares(
    connection: Connection, moment: Moment, ready: Sequence[Queue]
) -> tuple[list[_Share], list[int], list[str]]:
    """What each ready lane may have now, when those may have more that have to wait, and which are full."""
    shares: list[_Share] = []
    later: list[int] = []
    full: list[str] = []
    for queue in ready:
        lane = queue.lane
        if lane is None:
            lanes.open_lanes(connection, [queue.key])  # an older version of Postback may have written the delivery
            later.append(moment.now + SOON)
            continue
        most = queue.max_in_flight or DEFAULT_MAX_IN_FLIGHT
        share = _share(lane, moment.now, queue.busy, most, queue.rate_limit)
        if lane.paused_until is not None and lane.paused_until > moment.now:
            later.append(lane.paused_until)
        elif share.start > moment.now:
            later.append(ceil(share.start))
        elif share.count:
            shares.append(share)
        else:
            full.append(queue.key)
    return shares, later, full


def _share(lane: Lane, now: int, busy: int, most: int, rate_limit: float | None) -> _Share:
    room, interval = lane.room(most, busy), lane.interval(rate_limit)
    if not interval:
        return _Share(lane, busy, room, interval, now)
    start = max(lane.next_at, now - CATCH_UP)
    return _Share(lane, busy, min(room, int((now - start) // interval) + 1), interval, start)


def _fair(shares: Sequence[_Share], limit: int, reserve: int) -> list[_Share]:
    """The same for all where there is not enough for all; the most overdue where there is not even one for each. And
    one of the reserve for each that then has nothing, and nothing under way."""
    open_to_all = max(0, limit - reserve)
    chosen, others = shares[:open_to_all], shares[open_to_all:]
    given = [replace(share, count=min(share.count, max(1, open_to_all // len(chosen)))) for share in chosen]
    idle = [replace(share, count=1) for share in others if not share.busy]
    return given + idle[: min(limit, reserve)]


def _take(connection: Connection, moment: Moment, shares: Sequence[_Share], lease: int) -> dict[str, str]:
    """Takes the oldest deliveries of each lane; returns the lane of each."""
    if not shares:
        return {}
    given: dict[str, str | int] = {"now": moment.now, "lent_until": moment.now + lease}
    for n, share in enumerate(shares):
        given |= {f"lane_{n}": share.lane.key, f"count_{n}": share.count}
    query = _take_of(len(shares), connection.dialect.name == "postgresql")
    return {row.id: row.lane for row in connection.execute(query, given)}


@lru_cache(maxsize=512)
def _take_of(number: int, locks: bool) -> TextClause:
    """Takes `lane_N` and `count_N` of each lane, `now` and `lent_until`.

    As text, and kept: made of a hundred selects each time, it cost twice what the rest of a claim does.
    """
    parts = " UNION ALL ".join(_OF_LANE.replace("_N", f"_{n}") for n in range(number))
    return text(_TAKE.replace("PARTS", parts).replace("LOCKED", "FOR UPDATE SKIP LOCKED" if locks else ""))


def _paced(connection: Connection, shares: Sequence[_Share], taken: Sequence[str]) -> list[int]:
    """Moves the pace of the lanes that have one; returns when each may send again."""
    moved = [
        replace(share.lane, next_at=share.start + taken.count(share.lane.key) * share.interval)
        for share in shares
        if share.interval and share.lane.key in taken
    ]
    lanes.save(connection, moved)
    return [ceil(lane.next_at) for lane in moved]


def _sendable(connection: Connection, moment: Moment, rows: Sequence[Parcel]) -> Sequence[Parcel]:
    """Those whose subscriber wants them. One disabled while its delivery was being written gets it skipped, visibly."""
    unwanted = [row.id for row in rows if not row.enabled]
    if unwanted:
        skipped = {"status": "skipped", "due_at": None, "finished_at": moment.now}
        connection.execute(
            update(table).where(table.c.id.in_(unwanted)).values(**skipped, last_error="the subscriber is disabled")
        )
    return [row for row in rows if row.enabled]
