"""How PostgreSQL keeps the tables that change all the time: tidied up often, and with room to change a row in place."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Left to the defaults, dead rows are cleared once they are a fifth of a table: with ten million deliveries, the index
# of those that are open would by then hold two million that are not.
_CHURNING = {
    "autovacuum_vacuum_scale_factor": "0.01",
    "autovacuum_vacuum_threshold": "1000",
    "autovacuum_analyze_scale_factor": "0.02",
}
# Written once and erased by retention. Visited often, each visit is short, and freezing old rows is never put off.
_GROWING = {
    "autovacuum_vacuum_scale_factor": "0.02",
    "autovacuum_vacuum_insert_scale_factor": "0.05",
    "autovacuum_analyze_scale_factor": "0.05",
}
# Few rows, each changed many times a second. None of the columns that change is in an index, so with room beside it a
# row changes in place (HOT), and no vacuum is needed to keep the table small.
_COUNTING = {"fillfactor": "50", "autovacuum_vacuum_scale_factor": "0", "autovacuum_vacuum_threshold": "1000"}

STORAGE = {
    "jobs": _CHURNING,
    "deliveries": _CHURNING,
    "artifacts": _CHURNING,
    "callbacks": _GROWING,
    "notifications": _GROWING,
    "attempts": _GROWING,
    "history": _GROWING,
    "lanes": _COUNTING,
    "paces": _COUNTING,
    "facts": _COUNTING,
}


def upgrade() -> None:
    """Sets them. Nobody who reads or writes waits for it; rows move when they are next written."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, options in STORAGE.items():
        settings = ", ".join(f"{name} = {value}" for name, value in options.items())
        op.execute(f"ALTER TABLE {table} SET ({settings})")
