"""What a provider's list says about many jobs at once: which have finished and are worth asking about."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Connection, bindparam, func, select, update

from ledger import history, jobs
from ledger.columns import in_states
from ledger.history import Entry
from ledger.job import Job
from ledger.lifecycle import WATCHED_JOB
from ledger.moment import Moment
from ledger.outbox import Outbox
from ledger.pace import Slots, reserve
from ledger.polls import UNHEARD, pace_of
from ledger.schema import jobs as table
from ledger.verdict import FINAL

_WATCHED = select(func.count(), func.min(table.c.submitted_at)).where(
    in_states(table, *WATCHED_JOB), table.c.provider == bindparam("provider")
)


class Listed(Protocol):
    """One row of a provider's list. `providers.protocol.Listed` has this shape."""

    @property
    def task_id(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def provider_status(self) -> str: ...
    @property
    def model(self) -> str | None: ...
    @property
    def created_at(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Watched:
    """How many jobs of a provider are asked about, and when the oldest of them was submitted."""

    count: int
    oldest: int | None


def watched(connection: Connection, provider: str) -> Watched:
    """What there is to sweep."""
    return Watched(*connection.execute(_WATCHED, {"provider": provider}).one())


def slot(connection: Connection, moment: Moment, provider: str, rate: float) -> Slots:
    """Takes the next slot of the provider's queries for one page of its list, or a cancel.

    It reaches one slot further than the poller, which would else take each slot first while it has much to ask.
    """
    return reserve(connection, moment, pace_of(provider), rate, 1, ahead=1)


def release(connection: Connection, moment: Moment, provider: str) -> None:
    """The list is no longer read: every job that waited for it is to be asked about by itself."""
    connection.execute(
        update(table)
        .where(in_states(table, *WATCHED_JOB), table.c.provider == provider)
        .where(table.c.woken, table.c.due_at > moment.now)
        .values(due_at=moment.now)
    )


def listed(connection: Connection, moment: Moment, provider: str, rows: Sequence[Listed]) -> int:
    """Takes in one page: finished jobs become due, begun ones run, the others were heard of. Returns how many are due.

    Other people's jobs, and ours that have moved on, are passed over.
    """
    if not rows:
        return 0
    said = {row.task_id: row for row in rows}
    query = select(table).where(table.c.task_id.in_(sorted(said)), table.c.provider == provider)
    query = query.where(in_states(table, *WATCHED_JOB)).order_by(table.c.id).with_for_update()
    outbox = Outbox(connection, moment)
    changed: list[Job] = []
    entries: list[Entry] = []
    finished = 0
    for job in [Job.of(row) for row in connection.execute(query)]:
        row = said[str(job.task_id)]
        heard = min(moment.now + UNHEARD, job.deadline_at or moment.now + UNHEARD)
        if row.status in FINAL:
            finished += 1
            if not job.woken or (job.due_at or 0) > moment.now:
                changed.append(job.but(due_at=moment.now, woken=True))
        elif row.status == "running" and job.status == "pending":
            moved = job.moved("running", moment.now, due_at=heard, woken=True, provider_status=row.provider_status)
            changed.append(outbox.announce(moved, "running"))
            entries.append(Entry(job.id, moment.now, "running", f"listed: the provider says {row.provider_status}"))
        elif (job.due_at or 0) < moment.now + UNHEARD // 2:
            changed.append(job.but(due_at=heard, woken=True))
    jobs.save(connection, changed)
    history.add(connection, entries)
    outbox.write()
    return finished
