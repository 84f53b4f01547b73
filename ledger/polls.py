"""Jobs that are asked about: claimed when due, put off to their next time behind a fence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, func, select, update

from ledger import history, jobs
from ledger.history import Entry
from ledger.job import Job
from ledger.lifecycle import WATCHED_JOB
from ledger.moment import Moment
from ledger.outbox import Outbox
from ledger.pace import reserve
from ledger.schema import jobs as table
from ledger.verdict import Reading, progressed

MAX_CLAIM = 32


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

    `lost` says why the job is given up, `warning` what a person should know.
    """

    job_id: str
    lease: int
    due_at: int | None
    reading: Reading | None = None
    lost: str | None = None
    warning: str | None = None


def claim(connection: Connection, moment: Moment, rates: Mapping[str, float], lease: int) -> Claim:
    """Takes watched jobs that are due, as many as their provider's query rate (a second) allows.

    `lease` is how long asking may take after its slot, in milliseconds.
    """
    claimed: list[Claimed] = []
    dues: list[int] = []
    for provider, rate in rates.items():
        watched = select(table).where(table.c.status.in_(WATCHED_JOB), table.c.provider == provider)
        rows = connection.execute(
            watched.where(table.c.due_at <= moment.now)
            .order_by(table.c.due_at)
            .limit(MAX_CLAIM)
            .with_for_update(skip_locked=True)
        ).all()
        if rows:
            slots = reserve(connection, moment, f"query:{provider}", rate, len(rows))
            claimed += [
                Claimed(replace(job := Job.of(row), lease=job.lease + 1, due_at=slot + lease), slot)
                for row, slot in zip(rows, slots.times, strict=False)
            ]
            if len(slots.times) < len(rows) or len(rows) == MAX_CLAIM:
                dues.append(slots.next_at)
    jobs.save(connection, [one.job for one in claimed])
    later = connection.execute(
        select(func.min(table.c.due_at)).where(table.c.status.in_(WATCHED_JOB), table.c.due_at > moment.now)
    ).scalar()
    dues += [later] if later is not None else []
    return Claim(tuple(claimed), min(dues, default=None))


def settle(connection: Connection, moment: Moment, asked: Sequence[Asked]) -> list[bool]:
    """Records what asking brought. False where the job has moved on meanwhile."""
    held = jobs.lock(connection, (one.job_id for one in asked))
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
            job = replace(job, due_at=one.due_at, polls=job.polls + 1)
            if one.reading is not None:
                job, passed = progressed(job, one.reading, moment.now)
                for state in passed:
                    job = outbox.announce(job, state)
            entries += _changes(before, job, moment.now)
        held[job.id] = job
        answers.append(True)
    jobs.save(connection, list(held.values()))
    history.add(connection, entries)
    outbox.write()
    return answers


def wake(connection: Connection, moment: Moment, job_id: str) -> None:
    """Makes a watched job due at once."""
    connection.execute(
        update(table)
        .where(table.c.id == job_id, table.c.status.in_(WATCHED_JOB), table.c.due_at > moment.now)
        .values(due_at=moment.now)
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
