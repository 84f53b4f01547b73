"""Indexes that nearly every row was in, and hardly anybody looked into."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Only which indexes there are: the version before goes on working beside it."""
    other = sa.text("verdict != 'accepted'")
    op.create_index(
        "callbacks_by_other_verdict", "callbacks", ["verdict", "id"], sqlite_where=other, postgresql_where=other
    )
    op.drop_index("deliveries_by_notification", "deliveries")
    op.drop_index("callbacks_by_verdict", "callbacks")
