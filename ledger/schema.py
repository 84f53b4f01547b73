"""The tables. Times are UTC milliseconds, JSON is compact text, and bodies are the bytes as they came or went.

There are no foreign keys: they would lock a subscriber's row for every delivery written on PostgreSQL. What belongs to
a job is erased by `ledger.erase`.

Statements that run often are made once, beside whoever runs them: making one takes several times as long as running it.
"""

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, LargeBinary, MetaData, Table, Text, text

from ledger.columns import Json, Words, key, partial, when

schema = MetaData()

jobs = Table(
    "jobs",
    schema,
    key(primary_key=True),
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
    when("created_at", nullable=False),
    when("submitted_at"),
    when("finished_at"),
    # What moves it on: when it is next due (an expired lease is due too), and how often it was claimed (the fence).
    when("due_at"),
    Column("lease", Integer, nullable=False),
    # When its submission was sent, or is to be, and whether it may have left: until then nothing is paid.
    when("sent_at"),
    Column("sending", Boolean, nullable=False),
    when("deadline_at"),
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
    # Who alone is notified, if it names them: subscribers, and the one-off subscriber of its `notify_url`.
    Column("subscribers", Json),
    key("notify_id"),
    # The trace it was submitted in (W3C Trace Context), which its notifications carry on.
    Column("traceparent", Text),
    Index("jobs_by_status", "status", "id"),
    Index("jobs_by_provider_model", "provider", "model", "id"),
    partial("jobs_by_task", "task_id", where="task_id IS NOT NULL"),
    partial("jobs_by_idempotency_key", "idempotency_key", where="idempotency_key IS NOT NULL", unique=True),
    partial("jobs_queued", "provider", "model", "due_at", "id", where="status IN ('queued')"),
    partial("jobs_watched", "provider", "due_at", where="status IN ('pending', 'running')"),
)

callbacks = Table(
    "callbacks",
    schema,
    key(primary_key=True),
    key("job_id", nullable=False),
    Column("task_id", Words),
    Column("provider", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    when("received_at", nullable=False),
    Column("headers", Json, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("callbacks_by_job", "job_id", "id"),
    Index("callbacks_by_task", "task_id", "id"),
    partial("callbacks_by_other_verdict", "verdict", "id", where="verdict != 'accepted'"),
)

subscribers = Table(
    "subscribers",
    schema,
    key(primary_key=True),
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
    when("created_at", nullable=False),
    when("deleted_at"),
    # Which jobs it wants, how much of them, and when it is tried again (in milliseconds; None is as the settings say).
    Column("filter", Json),
    Column("payload", Text, nullable=False, server_default=text("'full'")),
    Column("schedule", Json),
    # Signs with ed25519 too, for those that chose it; what it verifies with is no secret.
    Column("sealed_private_key", Text),
    Column("public_key", Text),
    # A one-off subscriber belongs to the one job that brought its URL along.
    key("job_id"),
    partial("subscribers_standing", "id", where="job_id IS NULL"),
    partial("subscribers_of_jobs", "job_id", where="job_id IS NOT NULL"),
)

lanes = Table(
    "lanes",
    schema,
    # How those are doing whose deliveries share one queue: a subscriber, or all one-off URLs at one host.
    key("key", primary_key=True),
    # Consecutive failed attempts, since when, and when the operators were warned of it.
    Column("failures", Integer, nullable=False),
    when("failing_since"),
    when("warned_at"),
    # Nothing is sent before; then, while it is probed, one delivery at a time.
    when("paused_until"),
    Column("probing", Boolean, nullable=False),
    # When it last asked to be slowed down, the milliseconds between two sends since, and when the next slot is free.
    when("slowed_at"),
    Column("spacing", Float(53), nullable=False),
    Column("next_at", Float(53), nullable=False),
)

audit = Table(
    "audit",
    schema,
    # Who changed a subscriber, and what.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    key("subscriber_id", nullable=False),
    when("at", nullable=False),
    Column("actor", Words, nullable=False),
    Column("action", Text, nullable=False),
    Column("changes", Json, nullable=False),
    Index("audit_by_subscriber", "subscriber_id", "id"),
)

notifications = Table(
    "notifications",
    schema,
    key(primary_key=True),
    key("job_id"),
    Column("type", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    when("created_at", nullable=False),
    Column("body", LargeBinary, nullable=False),
    # Which transaction wrote it, so that a stream skips nothing that commits late: `ledger.stream`.
    Column("serial", BigInteger, nullable=False, server_default=text("0")),
    Column("traceparent", Text),
    Index("notifications_by_job", "job_id", "id"),
    Index("notifications_by_serial", "serial", "id"),
)

deliveries = Table(
    "deliveries",
    schema,
    key(primary_key=True),
    key("notification_id", nullable=False),
    key("subscriber_id", nullable=False),
    key("job_id"),
    Column("type", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempt_count", Integer, nullable=False),
    # The attempts made before the present schedule began: a redelivery starts a fresh one, and numbers go on.
    Column("attempts_before", Integer, nullable=False),
    Column("trigger", Text, nullable=False),
    # When it is next due: its next attempt, or while `delivering` the end of the lease.
    when("due_at"),
    Column("lease", Integer, nullable=False),
    Column("last_error", Words),
    when("created_at", nullable=False),
    when("finished_at"),
    # Which queue it waits in: that of its subscriber, or of the host of its one-off URL.
    Column("lane", Text, nullable=False, server_default=text("''")),
    Index("deliveries_by_job", "job_id", "id"),
    Index("deliveries_by_subscriber", "subscriber_id", "id"),
    Index("deliveries_by_status", "status", "id"),
    partial("deliveries_open", "lane", "due_at", where="status IN ('pending', 'delivering')"),
    partial("deliveries_under_way", "lane", where="status IN ('delivering')"),
)

attempts = Table(
    "attempts",
    schema,
    key(primary_key=True),
    key("delivery_id", nullable=False),
    Column("number", Integer, nullable=False),
    Column("trigger", Text, nullable=False),
    when("started_at", nullable=False),
    Column("duration_ms", Integer, nullable=False),
    Column("status_code", Integer),
    Column("error_class", Text),
    Column("error", Words),
    Column("response_excerpt", Words),
    Column("request_headers", Json),
    Column("response_headers", Json),
    Column("timing", Json),
    Index("attempts_by_delivery", "delivery_id", "number", unique=True),
)

history = Table(
    "history",
    schema,
    # Only what no other table tells: submissions, polls that changed something, what a person did.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    key("job_id", nullable=False),
    when("at", nullable=False),
    Column("type", Text, nullable=False),
    Column("summary", Words, nullable=False),
    Index("history_by_job", "job_id", "id"),
)

paces = Table(
    "paces",
    schema,
    # Evenly spaced slots shared by every process on the database: when the next one is free.
    key("key", primary_key=True),
    Column("next_at", Float(53), nullable=False),
    # How many times slower than the setting it goes at present, since the provider throttled.
    Column("slowdown", Float(53), nullable=False),
)

artifacts = Table(
    "artifacts",
    schema,
    key(primary_key=True),
    key("job_id", nullable=False),
    Column("position", Integer, nullable=False),
    Column("source_url", Words, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempt_count", Integer, nullable=False),
    when("due_at"),
    Column("lease", Integer, nullable=False),
    Column("last_error", Words),
    Column("media_type", Text),
    Column("size", BigInteger),
    Column("sha256", Text),
    when("created_at", nullable=False),
    when("finished_at"),
    Index("artifacts_by_job", "job_id", "position", unique=True),
    partial("artifacts_open", "due_at", where="status IN ('pending', 'copying', 'discarded')"),
)

api_keys = Table(
    "api_keys",
    schema,
    key(primary_key=True),
    Column("name", Words, nullable=False),
    Column("scope", Text, nullable=False),
    # Of the key, which itself is shown once and kept nowhere.
    Column("digest", Text, nullable=False),
    when("created_at", nullable=False),
    when("last_used_at"),
    when("revoked_at"),
    Index("api_keys_by_digest", "digest", unique=True),
)

sign_in_links = Table(
    "sign_in_links",
    schema,
    # Each is good once: using it removes it.
    key("digest", primary_key=True),
    Column("scope", Text, nullable=False),
    when("expires_at", nullable=False),
)

facts = Table(
    "facts",
    schema,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
