"""One-off subscribers: a job may bring a URL of its own along, which is told of that job and of no other."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from ledger import lanes, subscribers
from ledger.moment import Moment
from ledger.schema import audit
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
        keys = {lanes.key_of(notify_id, draft.url, draft.job_id) for notify_id, draft in made.items()}
        # Nearly always the lane of a host is there already.
        lanes.open_lanes(connection, keys - lanes.get(connection, keys).keys())


def target_of(connection: Connection, notify_id: str) -> Target | None:
    """Where a job's one-off notifications go; None when that was erased."""
    return targets_of(connection, [notify_id]).get(notify_id)


def targets_of(connection: Connection, notify_ids: Collection[str]) -> dict[str, Target]:
    """Where the one-off notifications of many jobs go, by one-off; without those that were erased."""
    if not notify_ids:
        return {}
    query = select(table.c.id, table.c.url, table.c.sealed_secret).where(table.c.id.in_(sorted(notify_ids)))
    found = connection.execute(query.where(table.c.deleted_at.is_(None)))
    return {row.id: Target(row.url, row.sealed_secret) for row in found}


def erase(connection: Connection, job_ids: Collection[str]) -> None:
    """Erases the one-off subscribers of jobs, with their secrets and what was changed of them."""
    of_jobs = table.c.job_id.in_(job_ids)
    connection.execute(delete(audit).where(audit.c.subscriber_id.in_(select(table.c.id).where(of_jobs))))
    connection.execute(delete(table).where(of_jobs))
