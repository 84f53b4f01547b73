"""Deliveries: finding them, settling attempts, sending again by hand. `ledger.parcels` claims them."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from ledger import subscribers
from ledger.clock import rfc3339
from ledger.errors import NotFound, Refused
from ledger.lifecycle import DELIVERY, OPEN_DELIVERY
from ledger.moment import Moment
from ledger.pages import Page, page
from ledger.schema import attempts
from ledger.schema import deliveries as table

RECOVERABLE = ("dead", "skipped")
"""What a recovery sends again if it is not told otherwise."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which deliveries to list; None is any."""

    status: str | None = None
    subscriber_id: str | None = None
    job_id: str | None = None
    notification_id: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One HTTP try, as it will be remembered. `error_class` is None for a 2xx."""

    started_at: int
    duration_ms: int
    status_code: int | None = None
    error_class: str | None = None
    error: str | None = None
    response_excerpt: str | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """How an attempt leaves its delivery: `delivered`, `dead`, or `pending` again with a `due_at`.

    `disable` says why the subscriber wants no more, if it does not.
    """

    delivery_id: str
    lease: int
    attempt: Attempt
    status: str
    due_at: int | None = None
    disable: str | None = None


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
    return page(connection, query, table, "dlv", cursor=cursor, limit=limit)


def attempts_of(connection: Connection, delivery_id: str) -> Sequence[Row[Any]]:
    """A delivery's attempts, in their order."""
    query = select(attempts).where(attempts.c.delivery_id == delivery_id).order_by(attempts.c.number)
    return connection.execute(query).all()


def settle(connection: Connection, moment: Moment, settlements: Sequence[Settlement]) -> list[bool]:
    """Records attempts. False, and nothing written, where the lease is no longer the settler's."""
    query = select(table).where(table.c.id.in_(sorted({one.delivery_id for one in settlements})))
    held = {row.id: row for row in connection.execute(query.order_by(table.c.id).with_for_update())}
    tries: list[dict[str, Any]] = []
    changes: list[dict[str, Any]] = []
    answers: list[bool] = []
    for one in settlements:
        row = held.get(one.delivery_id)
        valid = row is not None and row.status == "delivering" and row.lease == one.lease
        answers.append(valid)
        if row is None or not valid:
            continue
        number = row.attempt_count + 1
        tries.append(
            {"id": moment.id("att"), "delivery_id": row.id, "number": number, "trigger": row.trigger} | _columns(one)
        )
        changes.append(
            {
                "this_id": row.id,
                "new_status": one.status,
                "new_count": number,
                "new_due": one.due_at,
                "new_error": one.attempt.error,
                "new_finish": None if one.status == "pending" else moment.now,
            }
        )
    if changes:
        connection.execute(insert(attempts), tries)
        connection.execute(_SETTLE, changes)
    for one, valid in zip(settlements, answers, strict=True):
        if valid and one.disable is not None:
            _disable(connection, moment, held[one.delivery_id].subscriber_id, one.disable)
    return answers


def redeliver(connection: Connection, moment: Moment, delivery_id: str, trigger: str = "manual") -> Row[Any]:
    """Makes a finished delivery due again, with a fresh schedule. Raises `NotFound` and `Refused`."""
    row = get(connection, delivery_id)
    if "pending" not in DELIVERY[row.status].to or row.status in OPEN_DELIVERY:
        raise Refused(f"the delivery is {row.status}: it is still being sent by itself")
    try:
        subscriber = subscribers.get(connection, row.subscriber_id)
    except NotFound:
        raise Refused("its subscriber was deleted; register it again and recover from there") from None
    if not subscriber.enabled:
        raise Refused("its subscriber is disabled; enable it first")
    connection.execute(
        update(table)
        .where(table.c.id == delivery_id, table.c.status == row.status)
        .values(
            status="pending",
            attempts_before=row.attempt_count,
            trigger=trigger,
            due_at=moment.now,
            finished_at=None,
        )
    )
    return get(connection, delivery_id)


def recover(
    connection: Connection,
    moment: Moment,
    subscriber_id: str,
    *,
    since: int,
    until: int | None = None,
    statuses: Sequence[str] | None = None,
) -> int:
    """Makes a subscriber's finished deliveries of a window of time due again; returns how many.

    `since` and `until` (exclusive) are when the deliveries were made, in milliseconds; `statuses` are dead and skipped
    if they are left out. Raises `NotFound` and `Refused`.
    """
    if not subscribers.get(connection, subscriber_id).enabled:
        raise Refused("the subscriber is disabled; enable it first")
    finished = [status for status in statuses or RECOVERABLE if status not in OPEN_DELIVERY]
    query = update(table).where(table.c.subscriber_id == subscriber_id, table.c.status.in_(finished))
    query = query.where(table.c.created_at >= since)
    if until is not None:
        query = query.where(table.c.created_at < until)
    again = {"status": "pending", "trigger": "recover", "due_at": moment.now, "finished_at": None}
    return connection.execute(query.values(**again, attempts_before=table.c.attempt_count)).rowcount


def abandon(connection: Connection, moment: Moment) -> None:
    """Ends every lease of a process that is known to be dead: on SQLite, at start, there is no other."""
    connection.execute(
        update(table).where(table.c.status == "delivering", table.c.due_at > moment.now).values(due_at=moment.now)
    )


def document(row: Row[Any]) -> dict[str, Any]:
    """A delivery on the wire."""
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
    names = ("id", "number", "trigger", "duration_ms", "status_code", "error_class", "error", "response_excerpt")
    return {"started_at": rfc3339(row.started_at)} | {name: row._mapping[name] for name in names}


_SETTLE = (
    update(table)
    .where(table.c.id == bindparam("this_id"))
    .values(
        status=bindparam("new_status"),
        attempt_count=bindparam("new_count"),
        due_at=bindparam("new_due"),
        last_error=bindparam("new_error"),
        finished_at=bindparam("new_finish"),
        # Only the attempt that a person asked for is theirs; the rest of the fresh schedule runs by itself.
        trigger="schedule",
    )
)


def _columns(one: Settlement) -> dict[str, Any]:
    names = ("started_at", "duration_ms", "status_code", "error_class", "error", "response_excerpt")
    return {name: getattr(one.attempt, name) for name in names}


def _disable(connection: Connection, moment: Moment, subscriber_id: str, why: str) -> None:
    with contextlib.suppress(NotFound):  # it may have been deleted meanwhile
        subscribers.change(connection, moment, subscriber_id, {"enabled": False, "disabled_reason": why})
