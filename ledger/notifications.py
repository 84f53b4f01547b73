"""Notifications: what was sent out, byte for byte."""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from ledger.clock import rfc3339
from ledger.errors import Damaged, NotFound
from ledger.pages import Page, page
from ledger.schema import notifications


@dataclass(frozen=True, slots=True)
class Filter:
    """Which notifications to list; None is any."""

    job_id: str | None = None
    type: str | None = None


def get(connection: Connection, notification_id: str) -> Row[Any]:
    """One notification. Raises `NotFound`."""
    row = connection.execute(select(notifications).where(notifications.c.id == notification_id)).one_or_none()
    if row is None:
        raise NotFound(f"there is no notification {notification_id}")
    return row


def find(connection: Connection, wanted: Filter, *, cursor: str | None, limit: int) -> Page[Row[Any]]:
    """Notifications, newest first. Raises `BadCursor`."""
    query = select(notifications)
    for name in ("job_id", "type"):
        if (value := getattr(wanted, name)) is not None:
            query = query.where(notifications.c[name] == value)
    return page(connection, query, notifications, "ntf", cursor=cursor, limit=limit)


def document(row: Row[Any]) -> dict[str, Any]:
    """A notification on the wire; `timestamp` and `data` are those of its body. Raises `Damaged`."""
    try:
        sent = json.loads(row.body)
        timestamp, data = sent["timestamp"], sent["data"]
    except (ValueError, KeyError, TypeError):
        raise Damaged from None
    return {
        "id": row.id,
        "job_id": row.job_id,
        "type": row.type,
        "timestamp": timestamp,
        "data": data,
        "created_at": rfc3339(row.created_at),
    }
