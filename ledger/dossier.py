"""All that is known of one job, for a page that shows it: rows and raw bodies, only so much of each."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, LargeBinary, Row, Select, Table, func, select

from ledger import jobs, timeline
from ledger.columns import beginning
from ledger.job import Job
from ledger.lifecycle import OPEN_DELIVERY
from ledger.schema import artifacts, attempts, callbacks, deliveries, lanes, notifications, subscribers

BODY = 16_384
"""How much of a body is read, in bytes; and of headers, in characters."""

MOST_CALLBACKS = 60
MOST_NOTIFICATIONS = 60
MOST_DELIVERIES = 100
MOST_ATTEMPTS = 300
MOST_ARTIFACTS = 100


@dataclass(frozen=True, slots=True)
class Dossier:
    """One job. `entries` are its own steps as in its timeline; `more` says that it has more deliveries, the newest of
    which are here.

    Callbacks and notifications have the start of their `body` and its whole `size`, in bytes. What is keyed is keyed
    by id; attempts by that of their delivery, in their order; and the queues that deliveries wait in by their key.
    """

    job: Job
    entries: Sequence[dict[str, Any]]
    callbacks: Mapping[str, Row[Any]]
    notifications: Mapping[str, Row[Any]]
    deliveries: Sequence[Row[Any]]
    attempts: Mapping[str, Sequence[Row[Any]]]
    subscribers: Mapping[str, Row[Any]]
    lanes: Mapping[str, Row[Any]]
    artifacts: Sequence[Row[Any]]
    more: bool


def gather(connection: Connection, job_id: str) -> Dossier:
    """What is known of a job. Raises `NotFound`, and `Damaged` where the job itself cannot be read."""
    job = jobs.get(connection, job_id)
    owed = connection.execute(_newest(select(deliveries), deliveries, job_id, MOST_DELIVERIES + 1)).all()
    shown = owed[:MOST_DELIVERIES][::-1]
    return Dossier(
        job=job,
        entries=timeline.own(connection, job),
        callbacks=_by_id(connection, _newest(_CALLBACKS, callbacks, job_id, MOST_CALLBACKS)),
        notifications=_by_id(connection, _newest(_NOTIFICATIONS, notifications, job_id, MOST_NOTIFICATIONS)),
        deliveries=shown,
        attempts=_attempts(connection, [row.id for row in shown]),
        subscribers=_by_id(connection, _SUBSCRIBERS.where(subscribers.c.id.in_({row.subscriber_id for row in shown}))),
        lanes=_lanes(connection, {row.lane for row in shown if row.status in OPEN_DELIVERY}),
        artifacts=connection.execute(
            select(artifacts).where(artifacts.c.job_id == job_id).order_by(artifacts.c.position).limit(MOST_ARTIFACTS)
        ).all(),
        more=len(owed) > MOST_DELIVERIES,
    )


def _newest(query: Select[Any], table: Table, job_id: str, count: int) -> Select[Any]:
    return query.where(table.c.job_id == job_id).order_by(table.c.id.desc()).limit(count)


def _by_id(connection: Connection, query: Select[Any]) -> dict[str, Row[Any]]:
    return {row.id: row for row in connection.execute(query)}


def _lanes(connection: Connection, keys: Collection[str]) -> dict[str, Row[Any]]:
    query = select(lanes).where(lanes.c.key.in_(keys))
    return {row.key: row for row in connection.execute(query)} if keys else {}


def _attempts(connection: Connection, delivery_ids: Sequence[str]) -> dict[str, list[Row[Any]]]:
    newest = _ATTEMPTS.where(attempts.c.delivery_id.in_(delivery_ids)).order_by(attempts.c.id.desc())
    found: dict[str, list[Row[Any]]] = {}
    for row in connection.execute(newest.limit(MOST_ATTEMPTS)):
        found.setdefault(row.delivery_id, []).append(row)
    return {delivery_id: rows[::-1] for delivery_id, rows in found.items()}


_CALLBACKS: Select[Any] = select(
    callbacks.c.id,
    callbacks.c.task_id,
    callbacks.c.verdict,
    callbacks.c.received_at,
    beginning(callbacks.c.headers, BODY),
    beginning(callbacks.c.body, BODY, LargeBinary),
    func.length(callbacks.c.body).label("size"),
)
_NOTIFICATIONS: Select[Any] = select(
    notifications.c.id,
    notifications.c.type,
    notifications.c.created_at,
    beginning(notifications.c.body, BODY, LargeBinary),
    func.length(notifications.c.body).label("size"),
)
_SUBSCRIBERS: Select[Any] = select(
    subscribers.c.id, subscribers.c.url, subscribers.c.payload, subscribers.c.enabled, subscribers.c.deleted_at
)
_ATTEMPTS: Select[Any] = select(
    attempts.c.id,
    attempts.c.delivery_id,
    attempts.c.number,
    attempts.c.trigger,
    attempts.c.started_at,
    attempts.c.duration_ms,
    attempts.c.status_code,
    attempts.c.error_class,
    attempts.c.error,
    attempts.c.response_excerpt,
    beginning(attempts.c.request_headers, BODY),
    beginning(attempts.c.response_headers, BODY),
    beginning(attempts.c.timing, BODY),
)
