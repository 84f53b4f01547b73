"""Recovering: what a subscriber did not get in a window of time is sent again, evenly paced, a part at a time.

Each part is one short transaction, so that recovering a million deliveries holds nobody up. Only finished deliveries
are touched: what is still owed keeps its schedule, and nothing is ever owed twice.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, func, select, update

from ledger import bulk, ids, lanes, subscribers, trials
from ledger.audience import Reader
from ledger.columns import in_states
from ledger.errors import Refused
from ledger.job import Job
from ledger.lifecycle import OPEN_DELIVERY
from ledger.moment import Moment
from ledger.outbox import NewDelivery, delivery
from ledger.overview import Count
from ledger.schema import deliveries as table
from ledger.schema import jobs, notifications

RECOVERABLE = ("dead", "skipped")
"""What a recovery sends again if it is not told otherwise."""

PART = 1_000
"""How many rows one transaction looks at."""

MOST = 100_000
"""Where counting ends for a person who waits."""

LOOKED_AT = 10_000
"""Deliveries that are looked at to tell how a window stands."""

DEFAULT_RATE = 10.0
"""Deliveries a second, for a subscriber that has no limit of its own."""


@dataclass(frozen=True, slots=True)
class Window:
    """Which notifications: those made from `since` on, and before `until` if there is one, in milliseconds."""

    since: int
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """How many deliveries a part set going, or would, and where the next one begins; None at the end."""

    count: int
    after: str | None


@dataclass(frozen=True, slots=True)
class Pace:
    """Deliveries become due `interval` milliseconds after each other, the first at `start`."""

    start: int
    interval: float

    def due(self, position: int) -> int:
        """When the one at that position, from 0, is due."""
        return self.start + round(position * self.interval)


def pace_of(row: Row[Any], now: int, rate: float | None = None) -> Pace:
    """The pace for a subscriber: `rate` a second, or its own limit, whichever is slower."""
    wanted = [one for one in (rate, row.rate_limit) if one is not None]
    return Pace(now, 1_000 / (min(wanted) if wanted else DEFAULT_RATE))


def again(
    connection: Connection,
    moment: Moment,
    subscriber_id: str,
    window: Window,
    statuses: Sequence[str],
    pace: Pace,
    done: int = 0,
    after: str | None = None,
) -> Part:
    """Makes finished deliveries due again, `done` of which an earlier part did. Raises `NotFound` and `Refused`."""
    _willing(connection, subscriber_id)
    query = _finished(select(table.c.id), subscriber_id, window, statuses, after).order_by(table.c.id)
    found = connection.execute(query.limit(PART).with_for_update()).all()
    changes = [{"this_id": row.id, "new_due": pace.due(done + i)} for i, row in enumerate(found)]
    if changes:
        connection.execute(_AGAIN, changes)
    return Part(len(found), found[-1].id if len(found) == PART else None)


def count_again(connection: Connection, subscriber_id: str, window: Window, statuses: Sequence[str]) -> int:
    """How many finished deliveries `again` would make due. Raises `NotFound`."""
    subscribers.get(connection, subscriber_id)
    query = _finished(select(func.count()).select_from(table), subscriber_id, window, statuses, None)
    return int(connection.execute(query).scalar_one())


def count_some(
    connection: Connection, subscriber_id: str, window: Window, statuses: Sequence[str], most: int = MOST
) -> Count:
    """The same for a person who waits for it: counting ends at `most`. Raises `NotFound` and `Refused`."""
    _willing(connection, subscriber_id)
    some = _finished(select(table.c.id), subscriber_id, window, statuses, None).limit(most + 1).subquery()
    found = connection.execute(select(func.count()).select_from(some)).scalar_one()
    return Count(min(found, most), found > most)


def standing(
    connection: Connection, subscriber_id: str, window: Window, looked_at: int = LOOKED_AT
) -> tuple[dict[str, int], bool]:
    """How the newest deliveries of a window are, by state, without trials; and whether there are more than were looked
    at."""
    query = select(table.c.status).where(table.c.subscriber_id == subscriber_id, table.c.created_at >= window.since)
    query = query.where(table.c.id > ids.first("dlv", window.since), trials.no_trial())
    if window.until is not None:
        query = query.where(table.c.created_at < window.until)
    some = query.order_by(table.c.id.desc()).limit(looked_at + 1).subquery()
    found = connection.execute(select(some.c.status, func.count().label("number")).group_by(some.c.status)).all()
    total = sum(row.number for row in found)
    return {row.status: row.number for row in found}, total > looked_at


def never_sent(
    connection: Connection,
    moment: Moment,
    subscriber_id: str,
    window: Window,
    pace: Pace,
    done: int = 0,
    after: str | None = None,
) -> Part:
    """Makes deliveries of what the subscriber would want now and was never to get: it came later, or wanted less then.

    `done` were set going by earlier parts. Raises `NotFound` and `Refused`.
    """
    reader = Reader.of(_willing(connection, subscriber_id))
    lanes.hold(connection, [reader.lane])  # or two recoveries at once would both find the same missing
    found, following = _never_sent(connection, reader, window, after)
    new = [delivery(moment, about, reader, trigger="recover") for about in found]
    bulk.add_tuples(
        connection,
        table,
        NewDelivery._fields,
        [row._replace(due_at=pace.due(done + place)) for place, row in enumerate(new)],
    )
    return Part(len(new), following)


def count_never_sent(connection: Connection, subscriber_id: str, window: Window, after: str | None = None) -> Part:
    """How many deliveries this part of `never_sent` would make. Raises `NotFound`."""
    found, following = _never_sent(connection, Reader.of(subscribers.get(connection, subscriber_id)), window, after)
    return Part(len(found), following)


_DELIVERED = select(table.c.notification_id, table.c.subscriber_id).where(
    table.c.job_id.in_(bindparam("ids", expanding=True))
)
_AGAIN = (
    update(table)
    .where(table.c.id == bindparam("this_id"))
    .values(
        status="pending",
        trigger="recover",
        due_at=bindparam("new_due"),
        finished_at=None,
        attempts_before=table.c.attempt_count,
    )
)


def _willing(connection: Connection, subscriber_id: str) -> Row[Any]:
    row = subscribers.get(connection, subscriber_id)
    if not row.enabled:
        raise Refused("the subscriber is disabled; enable it first")
    return row


def _finished(
    query: Select[Any], subscriber_id: str, window: Window, statuses: Sequence[str], after: str | None
) -> Select[Any]:
    finished = [status for status in statuses if status not in OPEN_DELIVERY]
    query = query.where(table.c.subscriber_id == subscriber_id, in_states(table, *finished))
    query = query.where(trials.no_trial())
    # An id is never older than its row, so older rows need not be read to find the window's first.
    query = query.where(table.c.id > (after or ids.first("dlv", window.since)), table.c.created_at >= window.since)
    return query if window.until is None else query.where(table.c.created_at < window.until)


def _never_sent(
    connection: Connection, reader: Reader, window: Window, after: str | None
) -> tuple[list[tuple[str, str, str]], str | None]:
    query = select(notifications.c.id, notifications.c.type, notifications.c.created_at, notifications.c.job_id)
    query = query.where(notifications.c.id > (after or ids.first("ntf", window.since)))
    if window.until is not None:
        query = query.where(notifications.c.created_at < window.until)
    looked = connection.execute(query.order_by(notifications.c.id).limit(PART)).all()
    wanted = [row for row in looked if row.created_at >= window.since and row.job_id is not None]
    known = _jobs(connection, {row.job_id for row in wanted})
    sent = _sent(connection, reader.id, known.keys())
    missing = [
        (row.id, row.job_id, row.type)
        for row in wanted
        if row.id not in sent and row.job_id in known and reader.gets(row.type, known[row.job_id])
    ]
    return missing, looked[-1].id if len(looked) == PART else None


def _jobs(connection: Connection, job_ids: set[str]) -> dict[str, Job]:
    found = connection.execute(select(jobs).where(jobs.c.id.in_(sorted(job_ids))))
    return {row.id: Job.of(row) for row in found}


def _sent(connection: Connection, subscriber_id: str, job_ids: Collection[str]) -> set[str]:
    """The notifications of these jobs that the subscriber has deliveries of. A subscriber may have any number, and a
    job has few."""
    found = connection.execute(_DELIVERED, {"ids": sorted(job_ids)})
    return {row.notification_id for row in found if row.subscriber_id == subscriber_id}
