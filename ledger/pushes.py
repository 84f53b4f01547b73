"""Jobs that their provider says have finished, without saying how: they are asked about at once."""

from collections.abc import Collection

from sqlalchemy import Connection, or_, select

from ledger import history, jobs
from ledger.clock import MINUTE
from ledger.columns import in_states
from ledger.history import Entry
from ledger.job import Job
from ledger.lifecycle import WATCHED_JOB
from ledger.moment import Moment
from ledger.schema import jobs as table

ASKING = 1 * MINUTE
"""A job that was woken and is due within this time is being asked about, or will be in a moment."""


def wake(connection: Connection, moment: Moment, provider: str, task_ids: Collection[str]) -> int:
    """Makes the watched jobs with these task_ids due now. Returns how many it woke.

    Passed over: tasks that are not ours, jobs that have finished, and those that were woken before and not asked yet.
    """
    query = select(table).where(table.c.task_id.in_(sorted(task_ids)), table.c.provider == provider)
    query = query.where(in_states(table, *WATCHED_JOB))
    query = query.where(or_(table.c.woken.is_(False), table.c.due_at > moment.now + ASKING))
    found = [Job.of(row) for row in connection.execute(query.order_by(table.c.id).with_for_update())]
    # With a new lease: who is asking at this moment asked too early, and must not put the job off again.
    jobs.save(connection, [job.but(due_at=moment.now, woken=True, lease=job.lease + 1) for job in found])
    said = "pushed: the provider says it has finished"
    history.add(connection, [Entry(job.id, moment.now, "pushed", said) for job in found])
    return len(found)
