"""Queues with a health of their own, one-off subscribers, filters, ed25519 keys, the audit, more of each attempt."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_OPEN = sa.text("status IN ('pending', 'delivering')")
_SENDING = sa.text("status IN ('delivering')")
_STANDING = sa.text("job_id IS NULL")
_ONE_OFF = sa.text("job_id IS NOT NULL")


def upgrade() -> None:
    """Adds them. Every subscriber that is there gets a queue, and what it is owed waits in it."""
    for table, column in (
        ("jobs", sa.Column("subscribers", sa.Text())),
        ("jobs", sa.Column("notify_id", sa.Text())),
        ("subscribers", sa.Column("filter", sa.Text())),
        ("subscribers", sa.Column("payload", sa.Text(), nullable=False, server_default=sa.text("'full'"))),
        ("subscribers", sa.Column("schedule", sa.Text())),
        ("subscribers", sa.Column("sealed_private_key", sa.Text())),
        ("subscribers", sa.Column("public_key", sa.Text())),
        ("subscribers", sa.Column("job_id", sa.Text())),
        ("notifications", sa.Column("serial", sa.BigInteger(), nullable=False, server_default=sa.text("0"))),
        ("deliveries", sa.Column("lane", sa.Text(), nullable=False, server_default=sa.text("''"))),
        ("attempts", sa.Column("request_headers", sa.Text())),
        ("attempts", sa.Column("response_headers", sa.Text())),
        ("attempts", sa.Column("timing", sa.Text())),
    ):
        op.add_column(table, column)
    op.create_table(
        "lanes",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", sa.BigInteger(), nullable=True),
        sa.Column("warned_at", sa.BigInteger(), nullable=True),
        sa.Column("paused_until", sa.BigInteger(), nullable=True),
        sa.Column("probing", sa.Boolean(), nullable=False),
        sa.Column("slowed_at", sa.BigInteger(), nullable=True),
        sa.Column("spacing", sa.Float(precision=53), nullable=False),
        sa.Column("next_at", sa.Float(precision=53), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("subscriber_id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("changes", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("audit_by_subscriber", "audit", ["subscriber_id", "id"])
    op.execute(
        "INSERT INTO lanes (key, failures, probing, spacing, next_at) "
        "SELECT id, 0, false, 0, 0 FROM subscribers WHERE deleted_at IS NULL"
    )
    op.execute("UPDATE deliveries SET lane = subscriber_id")
    op.drop_index("deliveries_open", "deliveries")
    op.create_index("deliveries_open", "deliveries", ["lane", "due_at"], postgresql_where=_OPEN, sqlite_where=_OPEN)
    op.create_index("deliveries_under_way", "deliveries", ["lane"], postgresql_where=_SENDING, sqlite_where=_SENDING)
    op.create_index("notifications_by_serial", "notifications", ["serial", "id"])
    op.create_index("subscribers_standing", "subscribers", ["id"], postgresql_where=_STANDING, sqlite_where=_STANDING)
    op.create_index("subscribers_of_jobs", "subscribers", ["job_id"], postgresql_where=_ONE_OFF, sqlite_where=_ONE_OFF)
