"""Jobs that are asked about: claimed when due, put off to their next time behind a fence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from sqlalchemy import Connection, Integer, bindparam, func, select, update

from ledger import history, jobs
from ledger.clock import MINUTE
from ledger.columns import in_states
from ledger.history import Entry
from ledger.job import Job
from ledger.lifecycle import WATCHED_JOB
from ledger.moment import Moment
from ledger.outbox import Outbox
from ledger.pace import reserve, throttled
from ledger.schema import jobs as table
from ledger.verdict import Reading, progressed

MAX_CLAIM = 32

OVERDUE = 5 * MINUTE
"""How long after its deadline a job is given up without being asked about."""

UNHEARD = 10 * MINUTE
"""How long a job may go without a word while its provider's list is being read."""

_WATCHED = in_states(table, *WATCHED_JOB)
_DUE = (
    select(table)
    .where(_WATCHED, table.c.provider == bindparam("provider"), table.c.due_at <= bindparam("now"))
    .order_by(table.c.due_at)
    .limit(bindparam("most", type_=Integer))
    .with_for_update(skip_locked=True)
)
_DUE_AND_WOKEN = _DUE.where(table.c.woken)
_LATER = select(func.min(table.c.due_at)).where(_WATCHED, table.c.due_at > bindparam("now"))
_OVERDUE = (
    select(table)
    .where(_WATCHED, table.c.due_at <= bindparam("now"), table.c.deadline_at <= bindparam("latest"))
    .order_by(table.c.id)
    .limit(MAX_CLAIM)
    .with_for_update(skip_locked=True)
)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A job to ask about, not before `ask_at`."""

    job: Job
    ask_at: int


@dataclass(frozen=True, slots=True)
class Claim:
    """What was claimed, and when there is more to do; None when only another job can bring more."""

    jobs: tuple[Claimed, ...]
    next_due: int | None


@dataclass(frozen=True, slots=True)
class Asked:
    """What became of asking: when to ask again, and the unfinished reading, if there was one.

    `lost` says why the job is given up, `warning` what a person should know; `throttled` lowers the provider's pace.
    """

    job_id: str
    lease: int
    due_at: int | None
    reading: Reading | None = None
    lost: str | None = None
    warning: str | None = None
    throttled: bool = False
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Budget:
    """How a provider may be asked: calls a second, jobs that one call asks about, and whether its list is being
    read at present, so that only jobs are asked about that are known to be worth it."""

    rate: float
    batch: int = 1
    swept: bool = False


def claim(connection: Connection, moment: Moment, budgets: Mapping[str, Budget], lease: int) -> Claim:
    """Takes watched jobs that are due, as many as their provider's budget allows.

    `lease` is how long asking may take after its slot, in milliseconds. Jobs of one call share a slot.
    """
    claimed: list[Claimed] = []
    found: dict[str, Job] = {}
    dues: list[int] = []
    for provider, budget in budgets.items():
        if budget.swept:
            postpone(connection, moment, provider)
        limit = MAX_CLAIM * budget.batch
        wanted = {"provider": provider, "now": moment.now, "most": limit}
        rows = connection.execute(_DUE_AND_WOKEN if budget.swept else _DUE, wanted).all()
        if not rows:
            continue
        slots = reserve(connection, moment, pace_of(provider), budget.rate, ceil(len(rows) / budget.batch))
        times = [time for time in slots.times for _ in range(budget.batch)]
        due = [Job.of(row) for row, _ in zip(rows, times, strict=False)]
        found |= {job.id: job for job in due}
        claimed += [
            Claimed(job.but(lease=job.lease + 1, due_at=slot + lease), slot)
            for job, slot in zip(due, times, strict=False)
        ]
        if len(times) < len(rows) or len(rows) == limit:
            dues.append(slots.next_at)
    jobs.save(connection, [one.job for one in claimed], found)
    later = connection.scalar(_LATER, {"now": moment.now})
    dues += [later] if later is not None else []
    return Claim(tuple(claimed), min(dues, default=None))


def settle(connection: Connection, moment: Moment, asked: Sequence[Asked]) -> list[bool]:
    """Records what asking brought. False where the job has moved on meanwhile."""
    held = jobs.lock(connection, (one.job_id for one in asked))
    found = dict(held)
    outbox = Outbox(connection, moment)
    entries: list[Entry] = []
    answers: list[bool] = []
    for one in asked:
        job = held.get(one.job_id)
        if job is None or job.lease != one.lease or job.status not in WATCHED_JOB:
            answers.append(False)
            continue
        before = job
        if one.warning:
            job = job.warned(one.warning)
        if one.lost is not None:
            job = outbox.announce(job.moved("lost", moment.now, error={"code": "Lost", "message": one.lost}), "lost")
            entries.append(Entry(job.id, moment.now, "lost", one.lost))
        else:
            job = job.but(due_at=one.due_at, polls=job.polls + 1, woken=False)
            if one.reading is not None:
                job, passed = progressed(job, one.reading, moment.now)
                for state in passed:
                    job = outbox.announce(job, state)
            entries += _changes(before, job, moment.now)
        held[job.id] = job
        answers.append(True)
    slowed = {held[one.job_id].provider: one.retry_after for one in asked if one.throttled and one.job_id in held}
    for provider, retry_after in sorted(slowed.items()):
        throttled(connection, moment, pace_of(provider), retry_after)
    jobs.save(connection, list(held.values()), found)
    history.add(connection, entries)
    outbox.write()
    return answers


def overdue(connection: Connection, moment: Moment) -> int:
    """Gives up jobs that nobody asks about, for want of their provider's key, once their deadline is well past."""
    rows = connection.execute(_OVERDUE, {"now": moment.now, "latest": moment.now - OVERDUE})
    why = "no result came before its deadline"
    outbox = Outbox(connection, moment)
    error = {"code": "Lost", "message": why}
    lost = [outbox.announce(Job.of(row).moved("lost", moment.now, error=error), "lost") for row in rows]
    jobs.save(connection, lost)
    history.add(connection, [Entry(job.id, moment.now, "lost", why) for job in lost])
    outbox.write()
    return len(lost)


def ask_again(connection: Connection, moment: Moment) -> None:
    """Makes jobs due that were put off for long: what stood in their way may be mended since the last start."""
    connection.execute(update(table).where(_WATCHED, table.c.due_at > moment.now + UNHEARD).values(due_at=moment.now))


def abandon(connection: Connection, moment: Moment, lease: int) -> None:
    """Ends the leases of a poller that is known to be dead. They look like jobs to be asked soon, so those are too."""
    connection.execute(
        update(table)
        .where(_WATCHED, table.c.due_at > moment.now, table.c.due_at <= moment.now + lease)
        .values(due_at=moment.now)
    )


def pace_of(provider: str) -> str:
    """The pace that queries, lists and cancels of a provider share."""
    return f"query:{provider}"


def postpone(connection: Connection, moment: Moment, provider: str) -> None:
    """Puts off due jobs that nothing was heard of: the list will tell. After `UNHEARD` they are asked all the same."""
    connection.execute(
        update(table)
        .where(_WATCHED, table.c.provider == provider)
        .where(table.c.due_at <= moment.now, table.c.woken.is_(False))
        .values(due_at=moment.now + UNHEARD, woken=True)
    )


def _changes(before: Job, after: Job, now: int) -> list[Entry]:
    """A poll that found nothing new leaves no trace."""
    said = after.provider_status or after.status
    if after.status != before.status:
        return [Entry(after.id, now, after.status, f"asked: the provider says {said}")]
    if after.provider_status != before.provider_status:
        return [Entry(after.id, now, "polled", f"asked: the provider says {said}")]
    if after.warnings != before.warnings:
        return [Entry(after.id, now, "warning", after.warnings[-1])]
    return []
