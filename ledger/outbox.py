"""What goes out: a notification and one delivery for each subscriber that wants it, in the caller's transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

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
        self._notifications: list[tuple[Any, ...]] = []
        self._deliveries: list[NewDelivery] = []

    def expect(self, jobs: Iterable[Job]) -> None:
        """These jobs may be announced: reads together what would else be read for each."""
        self._audience.meet(jobs)

    def announce(self, job: Job, state: str) -> Job:
        """Notifies of a state the job has reached; returns the job with its notifications counted."""
        event = EVENT_OF_STATE[state]
        readers = self._audience.of(event, job)
        if event in ONLY_IF_WANTED and not readers:
            return job
        job = job.but(sequence=job.sequence + 1)
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
        return self._deliveries[-1].id

    def write(self) -> bool:
        """Writes what was collected. Whether something is to be delivered."""
        if self._notifications:
            number = serial.take(self._connection)
            bulk.add_tuples(self._connection, notifications, _NOTIFICATION, self._notifications, serial=number)
        bulk.add_tuples(self._connection, deliveries, NewDelivery._fields, self._deliveries)
        return bool(self._deliveries)

    def _add(
        self,
        event: str,
        job_id: str | None,
        sequence: int,
        data: dict[str, Any],
        readers: Sequence[Reader],
        traceparent: str | None = None,
    ) -> None:
        moment = self._moment
        about = moment.id("ntf"), job_id, event
        self._notifications.append((*about, sequence, moment.now, body(event, moment.now, data), traceparent))
        self._deliveries += [delivery(moment, about, reader) for reader in readers]


_NOTIFICATION = ("id", "job_id", "type", "sequence", "created_at", "body", "traceparent")


class NewDelivery(NamedTuple):
    """A row of `deliveries` that was never tried."""

    notification_id: str
    job_id: str | None
    type: str
    id: str
    subscriber_id: str
    lane: str
    trigger: str
    created_at: int
    status: str
    due_at: int | None
    finished_at: int | None = None
    last_error: str | None = None
    attempt_count: int = 0
    attempts_before: int = 0
    lease: int = 0


def delivery(
    moment: Moment, about: tuple[str, str | None, str], reader: Reader, *, trigger: str = "schedule"
) -> NewDelivery:
    """A new delivery. A disabled subscriber's is there to be seen and recovered, never silently absent.

    `about` is its `notification_id`, `job_id` and `type`.
    """
    now = moment.now
    known = *about, moment.id("dlv"), reader.id, reader.lane, trigger, now
    if not reader.enabled:
        return NewDelivery(*known, "skipped", None, finished_at=now, last_error="the subscriber is disabled")
    first_delay = moment.first_delay if reader.schedule is None else reader.schedule[0]
    return NewDelivery(*known, "pending", now + first_delay)
