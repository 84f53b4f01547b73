"""Callbacks: the inbox as received."""

import base64
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, literal_column, select

from ledger.clock import rfc3339
from ledger.errors import NotFound
from ledger.pages import Page, page
from ledger.schema import callbacks

VERDICTS = ("accepted", "progress", "duplicate", "conflicting", "invalid")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which callbacks to list; None is any."""

    job_id: str | None = None
    task_id: str | None = None
    verdict: str | None = None


def get(connection: Connection, callback_id: str) -> Row[Any]:
    """One callback, raw. Raises `NotFound`."""
    row = connection.execute(select(callbacks).where(callbacks.c.id == callback_id)).one_or_none()
    if row is None:
        raise NotFound(f"there is no callback {callback_id}")
    return row


def find(connection: Connection, wanted: Filter, *, cursor: str | None, limit: int) -> Page[Row[Any]]:
    """Callbacks without headers and bodies, newest first. Raises `BadCursor`."""
    columns = (column for column in callbacks.c if column.name not in ("headers", "body"))
    query = select(*columns)
    for name in ("job_id", "task_id", "verdict"):
        if (value := getattr(wanted, name)) is not None:
            query = query.where(callbacks.c[name] == value)
    if wanted.verdict not in (None, "accepted"):
        # Said once more, as a literal: only then does a database see that its index of these fits.
        query = query.where(callbacks.c.verdict != literal_column("'accepted'"))
    return page(connection, query, callbacks, "cb", cursor=cursor, limit=limit)


def accepted_of(connection: Connection, job_ids: Collection[str]) -> dict[str, str]:
    """The id of the callback whose outcome was taken, by job, where there is one."""
    query = select(callbacks.c.job_id, func.min(callbacks.c.id).label("id"))
    query = query.where(callbacks.c.job_id.in_(sorted(job_ids)), callbacks.c.verdict == "accepted")
    return {row.job_id: row.id for row in connection.execute(query.group_by(callbacks.c.job_id))}


def summary(row: Row[Any]) -> dict[str, Any]:
    """A callback in a list on the wire."""
    names = ("id", "job_id", "task_id", "provider", "verdict")
    return {name: row._mapping[name] for name in names} | {"received_at": rfc3339(row.received_at)}


def document(row: Row[Any]) -> dict[str, Any]:
    """A whole callback on the wire: the body as text, and in base64 where it is not UTF-8."""
    try:
        body, raw = row.body.decode("utf-8"), None
    except UnicodeDecodeError:
        body, raw = None, base64.b64encode(row.body).decode("ascii")
    return summary(row) | {"headers": row.headers, "body": body, "body_base64": raw}
