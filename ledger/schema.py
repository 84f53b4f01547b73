"""The tables. Times are UTC milliseconds, JSON is compact text, and bodies are the bytes as they came or went.

There are no foreign keys: they would lock a subscriber's row for every delivery written on PostgreSQL. What belongs to
a job is erased by `ledger.erase`.
"""

import json
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Dialect,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    bindparam,
    text,
)


class Json(TypeDecorator[Any]):
    """A JSON value as text. Not JSONB: PostgreSQL refuses `\\u0000` there, and numbers must stay as they came."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


class Words(TypeDecorator[str]):
    """Text as others sent it. PostgreSQL cannot store U+0000, which JSON may hold: it is kept as U+FFFD."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else value.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _id(name: str = "id", **options: Any) -> Column[str]:
    return Column(name, Text, **options)


def _when(name: str, **options: Any) -> Column[int]:
    return Column(name, BigInteger, **options)


def in_states(table: Table, *states: str) -> ColumnElement[bool]:
    """`status IN (…)` with the states as literals: only then does a database see that a partial index fits."""
    return table.c.status.in_(bindparam(None, states, expanding=True, literal_execute=True))


schema = MetaData()

jobs = Table(
    "jobs",
    schema,
    _id(primary_key=True),
    Column("provider", Text, nullable=False),
    Column("model", Words, nullable=False),
    Column("status", Text, nullable=False),
    Column("task_id", Words),
    Column("input", Json, nullable=False),
    Column("parameters", Json, nullable=False),
    Column("metadata", Json, nullable=False),
    Column("results", Json),
    Column("metrics", Json),
    Column("usage", Json),
    Column("error", Json),
    Column("warnings", Json, nullable=False),
    Column("resubmit_of", Text),
    _when("created_at", nullable=False),
    _when("submitted_at"),
    _when("finished_at"),
    # What moves it on: when it is next due (an expired lease is due too), and how often it was claimed (the fence).
    _when("due_at"),
    Column("lease", Integer, nullable=False),
    # When its submission was sent, or is to be, and whether it may have left: until then nothing is paid.
    _when("sent_at"),
    Column("sending", Boolean, nullable=False),
    _when("deadline_at"),
    Column("tries", Integer, nullable=False),
    Column("polls", Integer, nullable=False),
    # Something said that asking now is worth it: the provider's list, or a push.
    Column("woken", Boolean, nullable=False),
    Column("provider_status", Words),
    # How often it notified, and what else came in for it: {"duplicate": 12}.
    Column("sequence", Integer, nullable=False),
    Column("callback_counts", Json, nullable=False),
    Column("idempotency_key", Words),
    Column("idempotency_digest", Text),
    Index("jobs_by_status", "status", "id"),
    Index("jobs_by_provider_model", "provider", "model", "id"),
    Index(
        "jobs_by_task",
        "task_id",
        postgresql_where=text("task_id IS NOT NULL"),
        sqlite_where=text("task_id IS NOT NULL"),
    ),
    Index(
        "jobs_by_idempotency_key",
        "idempotency_key",
        unique=True,
        postgresql_where=text("idempotency_key IS NOT NULL"),
        sqlite_where=text("idempotency_key IS NOT NULL"),
    ),
    Index(
        "jobs_queued",
        "provider",
        "model",
        "due_at",
        "id",
        postgresql_where=text("status IN ('queued')"),
        sqlite_where=text("status IN ('queued')"),
    ),
    Index(
        "jobs_watched",
        "provider",
        "due_at",
        postgresql_where=text("status IN ('pending', 'running')"),
        sqlite_where=text("status IN ('pending', 'running')"),
    ),
)

callbacks = Table(
    "callbacks",
    schema,
    _id(primary_key=True),
    _id("job_id", nullable=False),
    Column("task_id", Words),
    Column("provider", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    _when("received_at", nullable=False),
    Column("headers", Json, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("callbacks_by_job", "job_id", "id"),
    Index("callbacks_by_verdict", "verdict", "id"),
    Index("callbacks_by_task", "task_id", "id"),
)

subscribers = Table(
    "subscribers",
    schema,
    _id(primary_key=True),
    Column("url", Words, nullable=False),
    Column("events", Json, nullable=False),
    Column("description", Words),
    Column("metadata", Json, nullable=False),
    # Sealed under the secret keys: custom headers often carry credentials.
    Column("sealed_headers", Text),
    Column("header_names", Json, nullable=False),
    Column("sealed_secret", Text, nullable=False),
    # Secrets that still sign through a rotation's grace period: [{"sealed": …, "until": ms}].
    Column("old_secrets", Json, nullable=False),
    Column("max_in_flight", Integer, nullable=False),
    Column("rate_limit", Float),
    Column("enabled", Boolean, nullable=False),
    Column("disabled_reason", Words),
    _when("created_at", nullable=False),
    _when("deleted_at"),
)

notifications = Table(
    "notifications",
    schema,
    _id(primary_key=True),
    _id("job_id"),
    Column("type", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    _when("created_at", nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("notifications_by_job", "job_id", "id"),
)

deliveries = Table(
    "deliveries",
    schema,
    _id(primary_key=True),
    _id("notification_id", nullable=False),
    _id("subscriber_id", nullable=False),
    _id("job_id"),
    Column("type", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempt_count", Integer, nullable=False),
    # The attempts made before the present schedule began: a redelivery starts a fresh one, and numbers go on.
    Column("attempts_before", Integer, nullable=False),
    Column("trigger", Text, nullable=False),
    # When it is next due: its next attempt, or while `delivering` the end of the lease.
    _when("due_at"),
    Column("lease", Integer, nullable=False),
    Column("last_error", Words),
    _when("created_at", nullable=False),
    _when("finished_at"),
    Index("deliveries_by_job", "job_id", "id"),
    Index("deliveries_by_notification", "notification_id", "id"),
    Index("deliveries_by_subscriber", "subscriber_id", "id"),
    Index("deliveries_by_status", "status", "id"),
    Index(
        "deliveries_open",
        "subscriber_id",
        "due_at",
        postgresql_where=text("status IN ('pending', 'delivering')"),
        sqlite_where=text("status IN ('pending', 'delivering')"),
    ),
)

attempts = Table(
    "attempts",
    schema,
    _id(primary_key=True),
    _id("delivery_id", nullable=False),
    Column("number", Integer, nullable=False),
    Column("trigger", Text, nullable=False),
    _when("started_at", nullable=False),
    Column("duration_ms", Integer, nullable=False),
    Column("status_code", Integer),
    Column("error_class", Text),
    Column("error", Words),
    Column("response_excerpt", Words),
    Index("attempts_by_delivery", "delivery_id", "number", unique=True),
)

history = Table(
    "history",
    schema,
    # Only what no other table tells: submissions, polls that changed something, what a person did.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    _id("job_id", nullable=False),
    _when("at", nullable=False),
    Column("type", Text, nullable=False),
    Column("summary", Words, nullable=False),
    Index("history_by_job", "job_id", "id"),
)

paces = Table(
    "paces",
    schema,
    # Evenly spaced slots shared by every process on the database: when the next one is free.
    Column("key", Text, primary_key=True),
    Column("next_at", Float(53), nullable=False),
    # How many times slower than the setting it goes at present, since the provider throttled.
    Column("slowdown", Float(53), nullable=False),
)

artifacts = Table(
    "artifacts",
    schema,
    _id(primary_key=True),
    _id("job_id", nullable=False),
    Column("position", Integer, nullable=False),
    Column("source_url", Words, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempt_count", Integer, nullable=False),
    _when("due_at"),
    Column("lease", Integer, nullable=False),
    Column("last_error", Words),
    Column("media_type", Text),
    Column("size", BigInteger),
    Column("sha256", Text),
    _when("created_at", nullable=False),
    _when("finished_at"),
    Index("artifacts_by_job", "job_id", "position", unique=True),
    Index(
        "artifacts_open",
        "due_at",
        postgresql_where=text("status IN ('pending', 'copying', 'discarded')"),
        sqlite_where=text("status IN ('pending', 'copying', 'discarded')"),
    ),
)

facts = Table(
    "facts",
    schema,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
