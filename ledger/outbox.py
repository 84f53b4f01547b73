"""What goes out: a notification and one delivery for each subscriber that wants it, in the caller's transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from ledger import bulk, serial
from ledger.audience import Audience, Reader
from ledger.clock import rfc3339
from ledger.events import EVENT_OF_STATE, ONLY_IF_WANTED, wants
from ledger.job import Job, Link
from ledger.jsontext import encoded
from ledger.moment import Moment
from ledger.schema import deliveries, notifications

TRIAL = 0
"""The sequence of a notification that only tries something out; what tells of a job counts from 1."""


def body(event: str, at: int, data: dict[str, Any]) -> bytes:
    """A notification's bytes, taken once (Standard Webhooks 1.0, "Payload structure")."""
    document = {"type": event, "timestamp": rfc3339(at), "data": data}
    return encoded(document)


class Outbox:
    """Collects what one transaction has to say and writes it in two statements. `link` gives artifacts their URL."""

    def __init__(self, connection: Connection, moment: Moment, link: Link | None = None) -> None:
        self._connection = connection
        self._moment = moment
        self._link = link
        self._audience = Audience(connection)
        self._notifications: list[dict[str, Any]] = []
        self._deliveries: list[dict[str, Any]] = []

    def expect(self, jobs: Iterable[Job]) -> None:
        """These jobs may be announced: reads together what would else be read for each."""
        self._audience.meet(jobs)

    def announce(self, job: Job, state: str) -> Job:
        """Notifies of a state the job has reached; returns the job with its notifications counted."""
        event = EVENT_OF_STATE[state]
        readers = self._audience.of(event, job)
        if event in ONLY_IF_WANTED and not readers:
            return job
        job = job._replace(sequence=job.sequence + 1)
        data = {**job.document(self._link), "sequence": job.sequence}
        self._add(event, job.id, job.sequence, data, readers, job.traceparent)
        return job

    def tell(self, event: str, data: dict[str, Any], *, but: str | None = None) -> None:
        """Tells operators: the subscribers that listen to such an event, without the one that it is about."""
        readers = [one for one in self._audience.standing() if wants(one.events, event) and one.id != but]
        if readers:
            self._add(event, None, 1, data, readers)

    def send(self, event: str, data: dict[str, Any], subscriber_id: str, *, trial: bool = False) -> str:
        """Notifies one subscriber, whatever it listens to; returns the delivery's id. A `trial` may be disabled."""
        reader = self._audience.reader(subscriber_id)
        reader = replace(reader, enabled=reader.enabled or trial)
        self._add(event, None, TRIAL if trial else 1, data, [reader])
        return str(self._deliveries[-1]["id"])

    def write(self) -> None:
        """Writes what was collected."""
        if self._notifications:
            number = serial.take(self._connection)
            bulk.add(self._connection, notifications, self._notifications, serial=number)
        bulk.add(self._connection, deliveries, self._deliveries)

    def _add(
        self,
        event: str,
        job_id: str | None,
        sequence: int,
        data: dict[str, Any],
        readers: Sequence[Reader],
        traceparent: str | None = None,
    ) -> None:
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
                "traceparent": traceparent,
            }
        )
        about = {"notification_id": notification_id, "job_id": job_id, "type": event}
        self._deliveries += [delivery(self._moment, about, reader) for reader in readers]


def delivery(moment: Moment, about: dict[str, Any], reader: Reader, *, trigger: str = "schedule") -> dict[str, Any]:
    """A new delivery's row. A disabled subscriber's is there to be seen and recovered, never silently absent.

    `about` is its `notification_id`, `job_id` and `type`.
    """
    first_delay = moment.first_delay if reader.schedule is None else reader.schedule[0]
    return about | {
        "id": moment.id("dlv"),
        "subscriber_id": reader.id,
        "lane": reader.lane,
        "status": "pending" if reader.enabled else "skipped",
        "attempt_count": 0,
        "attempts_before": 0,
        "trigger": trigger,
        "due_at": moment.now + first_delay if reader.enabled else None,
        "lease": 0,
        "last_error": None if reader.enabled else "the subscriber is disabled",
        "created_at": moment.now,
        "finished_at": None if reader.enabled else moment.now,
    }
