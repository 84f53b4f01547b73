"""Unconfirmed jobs and the provider's list: finding out whether a submission arrived after all.

A job is adopted only where there is no doubt: one task in a tight window around the send, of the same model, that no
job holds, and no other unresolved submission of that model in the window.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, bindparam, func, select

from ledger import history, jobs
from ledger.clock import MINUTE, SECOND
from ledger.history import Entry
from ledger.job import Job
from ledger.moment import Moment
from ledger.outbox import Outbox
from ledger.schema import jobs as table
from ledger.sweeps import Listed

BEFORE, AFTER = 3 * SECOND, 25 * SECOND
"""The window around a send in which its task may have been made: clocks differ, and a request takes its time."""

_LOOKS = (3 * SECOND, 5 * SECOND, 10 * SECOND, 20 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE)
"""The pauses between looks at the list; after the last, only a callback or a person resolves the job."""

MAX_CLAIM = 20

_MINE = (table.c.status == "unconfirmed", table.c.provider.in_(bindparam("providers", expanding=True)))
_DUE = (
    select(table)
    .where(*_MINE, table.c.due_at <= bindparam("now"))
    .order_by(table.c.id)
    .limit(MAX_CLAIM)
    .with_for_update(skip_locked=True)
)
_LATER = select(func.min(table.c.due_at)).where(*_MINE, table.c.due_at > bindparam("now"))


def window(job: Job) -> tuple[int, int]:
    """When a job's task can have been made, in milliseconds."""
    sent_at = job.sent_at or job.created_at
    return sent_at - BEFORE, sent_at + AFTER


def claim(connection: Connection, moment: Moment, providers: Collection[str]) -> tuple[list[Job], int | None]:
    """Unconfirmed jobs whose time to be looked for has come, and when the next one's comes.

    Their next look is set at once; adopting is safe whoever does it, so there is no lease.
    """
    mine = {"providers": sorted(providers), "now": moment.now}
    found = [Job.of(row) for row in connection.execute(_DUE, mine)]
    jobs.save(connection, [_next_look(job, moment.now) for job in found])
    if len(found) == MAX_CLAIM:
        return found, moment.now
    return found, connection.scalar(_LATER, mine)


def adopt(connection: Connection, moment: Moment, job_id: str, rows: Sequence[Listed], deadline: int) -> bool:
    """Gives an unconfirmed job its task, if exactly one in the list can be its own. `deadline` is in milliseconds."""
    job = jobs.lock(connection, [job_id]).get(job_id)
    if job is None or job.status != "unconfirmed":
        return False
    since, until = window(job)
    mine = [row for row in rows if row.model == job.model and since <= row.created_at <= until]
    held = set(
        connection.execute(select(table.c.task_id).where(table.c.task_id.in_([row.task_id for row in mine]))).scalars()
    )
    free = {row.task_id for row in mine} - held
    if len(free) != 1 or _rivals(connection, job):
        if job.due_at is None:
            why = "not found in the provider's list; a callback or a person must resolve it"
            history.add(connection, [Entry(job.id, moment.now, "not_found", why)])
        return False
    task_id = free.pop()
    adopted = (
        f"adopted: the answer to its submission was lost, and {task_id} in the provider's list can only be its task"
    )
    moved = job.moved(
        "pending",
        moment.now,
        task_id=task_id,
        submitted_at=job.sent_at,
        due_at=moment.now,
        deadline_at=(job.sent_at or moment.now) + deadline,
        woken=True,
        error=None,
    ).warned(adopted)
    outbox = Outbox(connection, moment)
    jobs.save(connection, [outbox.announce(moved, "pending")])
    history.add(connection, [Entry(job.id, moment.now, "adopted", adopted)])
    outbox.write()
    return True


def _next_look(job: Job, now: int) -> Job:
    due_at = now + _LOOKS[job.polls] if job.polls < len(_LOOKS) else None
    return job.but(due_at=due_at, polls=job.polls + 1)


def _rivals(connection: Connection, job: Job) -> int:
    """Other submissions of that model whose own task might be the one that was found."""
    since, until = window(job)
    query = (
        select(func.count())
        .select_from(table)
        .where(table.c.status.in_(("submitting", "unconfirmed")), table.c.id != job.id)
        .where(table.c.provider == job.provider, table.c.model == job.model)
        .where(table.c.sent_at >= since - AFTER, table.c.sent_at <= until + BEFORE)
    )
    return int(connection.execute(query).scalar_one())
