"""Claiming deliveries that are due: ready subscribers first, then the oldest few of each.

The cost depends on the number of subscribers, not on how much any of them is owed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select, union_all, update

from ledger.lifecycle import OPEN_DELIVERY
from ledger.moment import Moment
from ledger.schema import deliveries as table
from ledger.schema import in_states, notifications
from ledger.schema import subscribers as subscriber_table


@dataclass(frozen=True, slots=True)
class Claim:
    """What was claimed: rows of a delivery with its notification's body and its subscriber; and when more is due."""

    rows: Sequence[Any]
    next_due: int | None


def claim(connection: Connection, moment: Moment, *, limit: int, lease: int) -> Claim:
    """Takes due deliveries: ready subscribers first, then the oldest few of each, so that none waits for another.

    `lease` is how long an attempt may take, in milliseconds.
    """
    due = (
        select(func.min(table.c.due_at))
        .where(table.c.subscriber_id == subscriber_table.c.id, in_states(table, *OPEN_DELIVERY))
        .scalar_subquery()
    )
    waiting = connection.execute(
        select(subscriber_table.c.id, subscriber_table.c.max_in_flight, due.label("due"))
        .where(subscriber_table.c.enabled)
        .order_by("due")
    ).all()
    ready = [row for row in waiting if row.due is not None and row.due <= moment.now]
    later = [row.due for row in waiting if row.due is not None and row.due > moment.now]
    ids = _oldest(connection, moment, ready, limit) if ready else []
    if ids:
        taken = {"status": "delivering", "due_at": moment.now + lease}
        connection.execute(update(table).where(table.c.id.in_(ids)).values(**taken, lease=table.c.lease + 1))
    # Whoever took less than there was asks again at once when an attempt ends; this is for the rest.
    return Claim(_parcels(connection, ids), min(later, default=None))


def _oldest(connection: Connection, moment: Moment, ready: Sequence[Any], limit: int) -> list[str]:
    able = _rooms(connection, moment, ready)[:limit]
    parts = [
        select(table.c.id)
        .where(table.c.subscriber_id == subscriber_id, in_states(table, *OPEN_DELIVERY))
        .where(table.c.due_at <= moment.now)
        .order_by(table.c.due_at)
        .limit(min(room, max(1, limit // len(able))))
        .subquery()
        for subscriber_id, room in able
    ]
    if not parts:
        return []
    due = union_all(*(select(part.c.id) for part in parts)).subquery()
    locked = select(table.c.id).where(table.c.id.in_(select(due.c.id)), in_states(table, *OPEN_DELIVERY))
    # The due time is asked again under the lock: another forwarder may have claimed the row since.
    locked = locked.where(table.c.due_at <= moment.now).with_for_update(skip_locked=True)
    return [row.id for row in connection.execute(locked)]


def _rooms(connection: Connection, moment: Moment, ready: Sequence[Any]) -> list[tuple[str, int]]:
    """How many more each subscriber may be sent at once, without those that are full."""
    ids = sorted(row.id for row in ready)
    # Held, or two processes would count before either takes.
    held = select(subscriber_table.c.id).where(subscriber_table.c.id.in_(ids))
    connection.execute(held.order_by(subscriber_table.c.id).with_for_update())
    counted = connection.execute(
        select(table.c.subscriber_id, func.count().label("sending"))
        .where(table.c.status == "delivering", table.c.due_at > moment.now)
        .where(table.c.subscriber_id.in_(ids))
        .group_by(table.c.subscriber_id)
    )
    busy: dict[str, int] = {row.subscriber_id: row.sending for row in counted}
    rooms = ((row.id, row.max_in_flight - busy.get(row.id, 0)) for row in ready)
    return [(subscriber_id, room) for subscriber_id, room in rooms if room > 0]


def _parcels(connection: Connection, ids: Sequence[str]) -> Sequence[Any]:
    if not ids:
        return []
    return connection.execute(
        select(
            table.c.id,
            table.c.lease,
            table.c.attempt_count,
            table.c.attempts_before,
            table.c.due_at,
            table.c.type,
            table.c.job_id,
            table.c.notification_id,
            table.c.subscriber_id,
            notifications.c.body,
            subscriber_table.c.url,
            subscriber_table.c.sealed_headers,
            subscriber_table.c.sealed_secret,
            subscriber_table.c.old_secrets,
        )
        .join(notifications, notifications.c.id == table.c.notification_id)
        .join(subscriber_table, subscriber_table.c.id == table.c.subscriber_id)
        .where(table.c.id.in_(ids))
    ).all()
