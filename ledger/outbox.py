"""What goes out: a notification and one delivery for each subscriber that wants it, in the caller's transaction."""

import json
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, insert, select

from ledger.clock import rfc3339
from ledger.job import Job, Link
from ledger.moment import Moment
from ledger.schema import deliveries, notifications, subscribers

DEFAULT_EVENTS = ("job.succeeded", "job.failed", "job.canceled", "job.lost", "job.unconfirmed")
JOB_EVENTS = ("job.submitted", "job.running", *DEFAULT_EVENTS, "job.archived")
EVENTS = (*JOB_EVENTS, "subscriber.disabled", "delivery.dead", "postback.ping")

EVENT_OF_STATE = {"pending": "job.submitted"} | {
    state: f"job.{state}" for state in ("running", "succeeded", "failed", "canceled", "lost", "unconfirmed", "archived")
}
"""What is announced of a state. `archived` is a succeeded job whose images are copied, as far as they could be."""

_ONLY_IF_WANTED = ("job.submitted", "job.running", "job.archived")
"""Steps on the way and after: recorded only when somebody listens, so that a job costs one notification."""


def wants(events: list[str], event: str) -> bool:
    """Whether a subscriber with these event types gets that one. `*` is all, `job.*` all of a kind."""
    return any(
        pattern in ("*", event) or (pattern.endswith(".*") and event.startswith(pattern[:-1])) for pattern in events
    )


def body(event: str, at: int, data: dict[str, Any]) -> bytes:
    """A notification's bytes, taken once (Standard Webhooks 1.0, "Payload structure")."""
    document = {"type": event, "timestamp": rfc3339(at), "data": data}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


@dataclass(frozen=True, slots=True)
class _Reader:
    """A subscriber, as far as addressing goes."""

    id: str
    events: list[str]
    enabled: bool


class Outbox:
    """Collects what one transaction has to say and writes it in two statements. `link` gives artifacts their URL."""

    def __init__(self, connection: Connection, moment: Moment, link: Link | None = None) -> None:
        self._connection = connection
        self._moment = moment
        self._link = link
        self._readers: list[_Reader] | None = None
        self._notifications: list[dict[str, Any]] = []
        self._deliveries: list[dict[str, Any]] = []

    def announce(self, job: Job, state: str) -> Job:
        """Notifies of a state the job has reached; returns the job with its notifications counted."""
        event = EVENT_OF_STATE[state]
        readers = self._wanting(event)
        if event in _ONLY_IF_WANTED and not readers:
            return job
        job = replace(job, sequence=job.sequence + 1)
        data = {**job.document(self._link), "sequence": job.sequence}
        self._add(event, job.id, job.sequence, data, readers)
        return job

    def send(self, event: str, data: dict[str, Any], subscriber_id: str) -> str:
        """Notifies one subscriber, whatever it listens to; returns the delivery's id."""
        self._add(event, None, 1, data, [_Reader(subscriber_id, [], True)])
        return str(self._deliveries[-1]["id"])

    def write(self) -> None:
        """Writes what was collected."""
        if self._notifications:
            self._connection.execute(insert(notifications), self._notifications)
        if self._deliveries:
            self._connection.execute(insert(deliveries), self._deliveries)

    def _wanting(self, event: str) -> list[_Reader]:
        if self._readers is None:
            rows = self._connection.execute(
                select(subscribers.c.id, subscribers.c.events, subscribers.c.enabled).where(
                    subscribers.c.deleted_at.is_(None)
                )
            )
            self._readers = [_Reader(*row) for row in rows]
        return [reader for reader in self._readers if wants(reader.events, event)]

    def _add(self, event: str, job_id: str | None, sequence: int, data: dict[str, Any], readers: list[_Reader]) -> None:
        now = self._moment.now
        notification_id = self._moment.id("ntf")
        self._notifications.append(
            {
                "id": notification_id,
                "job_id": job_id,
                "type": event,
                "sequence": sequence,
                "created_at": now,
                "body": body(event, now, data),
            }
        )
        for reader in readers:
            # A disabled subscriber's delivery is there to be seen and recovered, never silently absent.
            self._deliveries.append(
                {
                    "id": self._moment.id("dlv"),
                    "notification_id": notification_id,
                    "subscriber_id": reader.id,
                    "job_id": job_id,
                    "type": event,
                    "status": "pending" if reader.enabled else "skipped",
                    "attempt_count": 0,
                    "attempts_before": 0,
                    "trigger": "schedule",
                    "due_at": now + self._moment.first_delay if reader.enabled else None,
                    "lease": 0,
                    "last_error": None if reader.enabled else "the subscriber is disabled",
                    "created_at": now,
                    "finished_at": None if reader.enabled else now,
                }
            )
