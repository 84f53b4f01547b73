"""A job's whole story, oldest first, put together from every table that knows a part of it."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Row, select

from ledger import jobs
from ledger.clock import rfc3339
from ledger.job import Job
from ledger.schema import attempts, callbacks, deliveries, history, notifications
from ledger.verdict import KEPT_COPIES

_Line = tuple[int, int, dict[str, Any]]
"""When, which kind comes first within a millisecond, and the entry."""


def timeline(connection: Connection, job_id: str) -> list[dict[str, Any]]:
    """Entries `{at, type, summary, …}` of a job. Raises `NotFound`."""
    job = jobs.get(connection, job_id)
    return _in_order([*_own(connection, job), *_deliveries(connection, job_id)])


def own(connection: Connection, job: Job) -> list[dict[str, Any]]:
    """The same without deliveries and attempts, of which there may be many."""
    return _in_order(_own(connection, job))


def _in_order(lines: list[_Line]) -> list[dict[str, Any]]:
    lines.sort(key=lambda line: (line[0], line[1]))
    return [{"at": rfc3339(at), **entry} for at, _, entry in lines]


def _own(connection: Connection, job: Job) -> list[_Line]:
    return [
        *_created(job),
        *_history(connection, job.id),
        *_callbacks(connection, job),
        *_notifications(connection, job.id),
    ]


def _created(job: Job) -> Iterator[_Line]:
    again = f", again for {job.resubmit_of}" if job.resubmit_of else ""
    yield job.created_at, 0, {"type": "created", "summary": f"recorded for {job.provider} {job.model}{again}"}


def _history(connection: Connection, job_id: str) -> Iterator[_Line]:
    query = select(history).where(history.c.job_id == job_id).order_by(history.c.id)
    for row in connection.execute(query):
        yield row.at, 1, {"type": row.type, "summary": row.summary}


def _callbacks(connection: Connection, job: Job) -> Iterator[_Line]:
    query = select(callbacks.c.id, callbacks.c.verdict, callbacks.c.received_at).where(callbacks.c.job_id == job.id)
    for row in connection.execute(query.order_by(callbacks.c.id)):
        summary = f"callback received: {row.verdict}"
        count = job.callback_counts.get(row.verdict, 0)
        if count > KEPT_COPIES:
            summary += f" (one of {count}, of which {KEPT_COPIES} are kept)"
        yield (
            row.received_at,
            2,
            {"type": "callback", "summary": summary, "callback_id": row.id, "verdict": row.verdict},
        )


def _notifications(connection: Connection, job_id: str) -> Iterator[_Line]:
    sent = select(deliveries.c.notification_id).where(deliveries.c.job_id == job_id).distinct()
    told = {row.notification_id for row in connection.execute(sent)}
    query = select(notifications).where(notifications.c.job_id == job_id).order_by(notifications.c.id)
    for row in connection.execute(query):
        summary = f"notification {row.type}"
        if row.id not in told:
            summary += ": nobody was told, for no subscriber wanted it of this job"
        entry = {"type": "notification", "summary": summary, "notification_id": row.id}
        yield row.created_at, 3, entry


def _deliveries(connection: Connection, job_id: str) -> Iterator[_Line]:
    query = select(deliveries).where(deliveries.c.job_id == job_id).order_by(deliveries.c.id)
    for row in connection.execute(query).all():
        named = {"delivery_id": row.id, "subscriber_id": row.subscriber_id}
        yield row.created_at, 4, {"type": "delivery", "summary": f"to be delivered to {row.subscriber_id}", **named}
        tried = select(attempts).where(attempts.c.delivery_id == row.id).order_by(attempts.c.number)
        for attempt in connection.execute(tried):
            yield attempt.started_at, 5, _attempt(attempt) | named
        if row.status in ("delivered", "dead", "skipped"):
            summary = row.status if row.status == "delivered" else f"{row.status}: {row.last_error}"
            yield row.finished_at, 6, {"type": row.status, "summary": summary, **named}
        elif row.attempt_count:
            yield row.due_at, 6, {"type": "next_attempt", "summary": f"attempt {row.attempt_count + 1} is due", **named}


def _attempt(row: Row[Any]) -> dict[str, Any]:
    ended = f"HTTP {row.status_code}" if row.error_class is None else f"{row.error_class}: {row.error}"
    return {
        "type": "attempt",
        "summary": f"attempt {row.number} ({row.trigger}): {ended} after {row.duration_ms} ms",
        "attempt_id": row.id,
    }
