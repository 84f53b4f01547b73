"""Erasing jobs with all that belongs to them: prompt, callbacks, notifications, deliveries, history, images."""

from collections.abc import Collection

from sqlalchemy import Connection, delete, select

from ledger import artifacts, jobs, one_offs
from ledger.errors import Refused
from ledger.lifecycle import DELETABLE_JOB
from ledger.moment import Moment
from ledger.schema import attempts, callbacks, deliveries, history, notifications
from ledger.schema import jobs as table


def erase(connection: Connection, moment: Moment, job_id: str) -> None:
    """Erases one finished job, as a person asks for it. Raises `NotFound` and `Refused`."""
    job = jobs.lock_one(connection, job_id)
    if job.status not in DELETABLE_JOB:
        raise Refused(f"the job is {job.status}; only a finished job can be deleted")
    erase_all(connection, moment, [job_id])


def erase_all(connection: Connection, moment: Moment, job_ids: Collection[str]) -> None:
    """Erases finished jobs that this transaction holds. Their callback tokens are worthless from then on."""
    ids = sorted(job_ids)
    mine = select(deliveries.c.id).where(deliveries.c.job_id.in_(ids))
    # Held, so that no attempt is recorded between the two deletes.
    connection.execute(mine.order_by(deliveries.c.id).with_for_update()).all()
    connection.execute(delete(attempts).where(attempts.c.delivery_id.in_(mine)))
    artifacts.discard(connection, moment, ids)
    one_offs.erase(connection, ids)
    for belonging in (deliveries, notifications, callbacks, history):
        connection.execute(delete(belonging).where(belonging.c.job_id.in_(ids)))
    connection.execute(delete(table).where(table.c.id.in_(ids)))
