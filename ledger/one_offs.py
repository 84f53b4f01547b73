"""One-off subscribers: a job may bring a URL of its own along, which is told of that job and of no other."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from ledger import lanes, subscribers
from ledger.moment import Moment
from ledger.schema import subscribers as table
from ledger.subscribers import Draft


@dataclass(frozen=True, slots=True)
class Target:
    """Where one job's notifications go besides, and the sealed secret that signs them."""

    url: str
    sealed_secret: str


def register(connection: Connection, moment: Moment, targets: Iterable[tuple[str | None, str, Target | None]]) -> None:
    """Makes the one-off subscribers of jobs that have a target: each its own id, its job's id and the target."""
    made = {
        notify_id: Draft(target.url, target.sealed_secret, description=f"notify_url of {job_id}", job_id=job_id)
        for notify_id, job_id, target in targets
        if notify_id is not None and target is not None
    }
    if made:
        rows = [subscribers.new_row(notify_id, draft, moment.now) for notify_id, draft in made.items()]
        connection.execute(insert(table), rows)
        for key in sorted({lanes.key_of(notify_id, draft.url, draft.job_id) for notify_id, draft in made.items()}):
            lanes.open_lane(connection, key)


def target_of(connection: Connection, notify_id: str) -> Target | None:
    """Where a job's one-off notifications go; None when that was erased."""
    query = select(table.c.url, table.c.sealed_secret).where(table.c.id == notify_id, table.c.deleted_at.is_(None))
    row = connection.execute(query).one_or_none()
    return None if row is None else Target(row.url, row.sealed_secret)


def erase(connection: Connection, job_id: str) -> None:
    """Erases the one-off subscriber of a job, with its secret."""
    connection.execute(delete(table).where(table.c.job_id == job_id))
