"""What stands in the database between two transactions, read past the product's own queries."""

from dataclasses import dataclass, field
from typing import NamedTuple

from .store import Store


class JobRow(NamedTuple):
    """A job, as far as the invariants go."""

    id: str
    provider: str
    status: str
    lease: int
    sequence: int
    task_id: str | None
    results: str | None
    error: str | None
    finished_at: int | None
    due_at: int | None
    prompt: str


class DeliveryRow(NamedTuple):
    """A delivery, as far as the invariants go."""

    id: str
    notification_id: str
    subscriber_id: str
    status: str
    lease: int
    attempt_count: int
    attempts_before: int
    due_at: int | None


class AttemptRow(NamedTuple):
    """One attempt; times are in milliseconds."""

    number: int
    started_at: int
    duration_ms: int


class NotificationRow(NamedTuple):
    """A notification without its body."""

    id: str
    job_id: str | None
    type: str
    sequence: int


@dataclass(frozen=True)
class Record:
    """All of it, by id. `attempts` are those of each delivery, in their order."""

    jobs: dict[str, JobRow] = field(default_factory=dict)
    deliveries: dict[str, DeliveryRow] = field(default_factory=dict)
    notifications: dict[str, NotificationRow] = field(default_factory=dict)
    attempts: dict[str, list[AttemptRow]] = field(default_factory=dict)

    @classmethod
    def of(cls, store: Store) -> "Record":
        """What stands there now."""
        attempts: dict[str, list[AttemptRow]] = {}
        for delivery_id, *row in store.rows(_ATTEMPTS):
            attempts.setdefault(delivery_id, []).append(AttemptRow(*row))
        return cls(
            {row[0]: JobRow(*row) for row in store.rows(_JOBS)},
            {row[0]: DeliveryRow(*row) for row in store.rows(_DELIVERIES)},
            {row[0]: NotificationRow(*row) for row in store.rows(_NOTIFICATIONS)},
            attempts,
        )


_JOBS = """SELECT id, provider, status, lease, sequence, task_id, results, error, finished_at, due_at,
 json_extract(input, '$.prompt') FROM jobs"""
_DELIVERIES = f"SELECT {', '.join(DeliveryRow._fields)} FROM deliveries"
_ATTEMPTS = "SELECT delivery_id, number, started_at, duration_ms FROM attempts ORDER BY delivery_id, number"
_NOTIFICATIONS = "SELECT id, job_id, type, sequence FROM notifications"
