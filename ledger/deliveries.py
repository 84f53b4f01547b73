"""Deliveries: finding them, and sending one again by hand. `ledger.parcels` claims them, `ledger.settling` settles."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, and_, false, select, update

from ledger import ids, salvage, subscribers
from ledger.clock import rfc3339
from ledger.errors import NotFound, Refused
from ledger.moment import Moment
from ledger.outbox import TRIAL
from ledger.pages import Page, page
from ledger.salvage import Wreck
from ledger.schema import attempts, notifications
from ledger.schema import deliveries as table


@dataclass(frozen=True, slots=True)
class Filter:
    """Which deliveries to list; None is any."""

    status: str | None = None
    subscriber_id: str | None = None
    job_id: str | None = None
    notification_id: str | None = None


class Attempt(NamedTuple):
    """One HTTP try, as it will be remembered: headers without secrets. `error_class` is None for a 2xx.

    `timing` splits `duration_ms` into what name lookup, connecting, TLS and waiting for the answer took, in
    milliseconds: `{"dns", "connect", "tls", "response"}`, each None where it did not happen.
    """

    started_at: int
    duration_ms: int
    status_code: int | None = None
    error_class: str | None = None
    error: str | None = None
    response_excerpt: str | None = None
    request_headers: dict[str, str] | None = None
    response_headers: dict[str, str] | None = None
    timing: dict[str, int | None] | None = None


def get(connection: Connection, delivery_id: str) -> Row[Any]:
    """One delivery. Raises `NotFound`."""
    row = connection.execute(select(table).where(table.c.id == delivery_id)).one_or_none()
    if row is None:
        raise NotFound(f"there is no delivery {delivery_id}")
    return row


def find(connection: Connection, wanted: Filter, *, cursor: str | None, limit: int) -> Page[Row[Any]]:
    """Deliveries, newest first. Raises `BadCursor`."""
    query = select(table)
    for name in ("status", "subscriber_id", "job_id", "notification_id"):
        if (value := getattr(wanted, name)) is not None:
            query = query.where(table.c[name] == value)
    if wanted.notification_id is not None:
        query = query.where(_told_with(connection, wanted.notification_id))
    return page(connection, query, table, "dlv", cursor=cursor, limit=limit)


def of_notices(notification_ids: Sequence[str]) -> ColumnElement[bool]:
    """Deliveries of notifications that belong to no job, in the order of their ids: made in the same moments."""
    earliest, latest = ids.span("dlv", notification_ids[0], notification_ids[-1])
    return and_(table.c.job_id.is_(None), table.c.id > earliest, table.c.id < latest)


def _told_with(connection: Connection, notification_id: str) -> ColumnElement[bool]:
    """Among which the deliveries of a notification are: those of its job, which are few."""
    query = select(notifications.c.job_id).where(notifications.c.id == notification_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        return false()
    return of_notices([notification_id]) if row.job_id is None else table.c.job_id == row.job_id


def attempts_of(connection: Connection, delivery_id: str) -> Sequence[Row[Any]]:
    """A delivery's attempts, in their order."""
    query = select(attempts).where(attempts.c.delivery_id == delivery_id).order_by(attempts.c.number)
    return connection.execute(query).all()


def latest_attempts(connection: Connection, delivery_id: str, limit: int) -> Sequence[Row[Any] | Wreck]:
    """A delivery's latest attempts, the newest first; a damaged one is said to be there."""
    query = select(attempts).where(attempts.c.delivery_id == delivery_id).order_by(attempts.c.number.desc())
    return salvage.read(connection, query.limit(limit), attempts.c.id)


def redeliver(connection: Connection, moment: Moment, delivery_id: str, *, at_once: bool = False) -> Row[Any]:
    """Makes a finished delivery due again, with a fresh schedule; with `at_once` also one that waits for its next
    attempt, which stays within its schedule. Raises `NotFound` and `Refused`.
    """
    row = get(connection, delivery_id)
    if row.status == "delivering":
        raise Refused("the delivery is being sent at this moment")
    if row.status == "pending" and not at_once:
        raise Refused('the delivery is pending: it is still being sent by itself; {"at_once": true} does not wait')
    if row.job_id is None and _is_trial(connection, row.notification_id):
        raise Refused("the delivery was a test; send another test instead")
    try:
        subscriber = subscribers.get(connection, row.subscriber_id)
    except NotFound:
        raise Refused("its subscriber was deleted; register it again and recover from there") from None
    if not subscriber.enabled:
        raise Refused("its subscriber is disabled; enable it first")
    again: dict[str, Any] = {"trigger": "manual", "due_at": moment.now}
    if row.status != "pending":
        again |= {"status": "pending", "attempts_before": row.attempt_count, "finished_at": None}
    connection.execute(update(table).where(table.c.id == delivery_id, table.c.status == row.status).values(**again))
    return get(connection, delivery_id)


def _is_trial(connection: Connection, notification_id: str) -> bool:
    query = select(notifications.c.sequence).where(notifications.c.id == notification_id)
    return connection.execute(query).scalar() == TRIAL


def abandon(connection: Connection, moment: Moment) -> None:
    """Ends every lease of a process that is known to be dead: on SQLite, at start, there is no other."""
    connection.execute(
        update(table).where(table.c.status == "delivering", table.c.due_at > moment.now).values(due_at=moment.now)
    )


def document(row: Any) -> dict[str, Any]:
    """A delivery on the wire, of whatever has the columns as attributes."""
    return {
        "id": row.id,
        "notification_id": row.notification_id,
        "subscriber_id": row.subscriber_id,
        "job_id": row.job_id,
        "type": row.type,
        "status": row.status,
        "attempt_count": row.attempt_count,
        "next_attempt_at": rfc3339(row.due_at) if row.status == "pending" else None,
        "last_error": row.last_error,
        "created_at": rfc3339(row.created_at),
        "finished_at": None if row.finished_at is None else rfc3339(row.finished_at),
    }


def attempt_document(row: Row[Any]) -> dict[str, Any]:
    """An attempt on the wire."""
    return {"started_at": rfc3339(row.started_at)} | {name: row._mapping[name] for name in _SHOWN}


_SHOWN = (
    "id",
    "number",
    "trigger",
    "duration_ms",
    "status_code",
    "error_class",
    "error",
    "response_excerpt",
    "request_headers",
    "response_headers",
    "timing",
)
