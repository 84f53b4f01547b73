"""Erasing a job with all that belongs to it: prompt, callbacks, notifications, deliveries, history, images."""

from sqlalchemy import Connection, delete, select

from ledger import artifacts, jobs, one_offs
from ledger.errors import Refused
from ledger.lifecycle import DELETABLE_JOB
from ledger.moment import Moment
from ledger.schema import attempts, callbacks, deliveries, history, notifications
from ledger.schema import jobs as table


def erase(connection: Connection, moment: Moment, job_id: str) -> None:
    """Erases a finished job. Its callback token is worthless from then on. Raises `NotFound` and `Refused`."""
    job = jobs.lock_one(connection, job_id)
    if job.status not in DELETABLE_JOB:
        raise Refused(f"the job is {job.status}; only a finished job can be deleted")
    mine = select(deliveries.c.id).where(deliveries.c.job_id == job_id)
    # Held, so that no attempt is recorded between the two deletes.
    connection.execute(mine.order_by(deliveries.c.id).with_for_update()).all()
    connection.execute(delete(attempts).where(attempts.c.delivery_id.in_(mine)))
    artifacts.discard(connection, moment, job_id)
    one_offs.erase(connection, job_id)
    for belonging in (deliveries, notifications, callbacks, history):
        connection.execute(delete(belonging).where(belonging.c.job_id == job_id))
    connection.execute(delete(table).where(table.c.id == job_id))
