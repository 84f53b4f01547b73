"""How much is waiting, and how late it is: what is watched, read at a cost that does not grow with what was."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Table, func, literal_column, select

from ledger import queues
from ledger.columns import in_states
from ledger.lifecycle import IN_FLIGHT_JOB
from ledger.schema import artifacts, deliveries, jobs, paces

MOST = 100_000
"""Nothing is counted further than this."""

JOB_STATES = tuple(dict.fromkeys(("queued", "submitting", *IN_FLIGHT_JOB, "unconfirmed")))
DELIVERY_STATES = ("pending", "delivering", "dead")
ARTIFACT_STATES = ("pending", "copying")


@dataclass(frozen=True, slots=True)
class Backlog:
    """Counts by state, when the oldest of each kind of work is or was due, in milliseconds, and how much slower than
    set each pace goes, by its key."""

    jobs: Mapping[str, int]
    deliveries: Mapping[str, int]
    artifacts: Mapping[str, int]
    oldest: Mapping[str, int | None]
    slowdown: Mapping[str, float]


def measure(connection: Connection) -> Backlog:
    """Counts and looks."""
    return Backlog(
        {state: _count(connection, jobs, state) for state in JOB_STATES},
        {state: _count(connection, deliveries, state) for state in DELIVERY_STATES},
        {state: _count(connection, artifacts, state) for state in ARTIFACT_STATES},
        {
            "jobs": _oldest_job(connection),
            "deliveries": min((queue.due for queue in queues.waiting(connection)), default=None),
            "artifacts": connection.scalar(_OLDEST_ARTIFACT),
        },
        {row.key: row.slowdown for row in connection.execute(select(paces.c.key, paces.c.slowdown))},
    )


# In the order of the index: of more jobs than are looked at, those of the last models are left out.
_QUEUED = select(jobs.c.due_at).where(in_states(jobs, "queued")).limit(MOST).subquery()
_OLDEST_JOB = select(func.min(_QUEUED.c.due_at))
_OLDEST_ARTIFACT = select(func.min(artifacts.c.due_at)).where(in_states(artifacts, "pending", "copying", "discarded"))


def _oldest_job(connection: Connection) -> int | None:
    due: int | None = connection.scalar(_OLDEST_JOB)
    return due


def _count(connection: Connection, table: Table, state: str) -> int:
    rows = select(literal_column("1")).select_from(table).where(in_states(table, state)).limit(MOST).subquery()
    return int(connection.execute(select(func.count()).select_from(rows)).scalar_one())
