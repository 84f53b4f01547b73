"""Jobs: recording, finding, cancelling, resubmitting."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import compress
from operator import is_not, itemgetter
from typing import Any

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.exc import IntegrityError

from ledger import bulk, history, one_offs
from ledger.errors import KeyReused, NotFound, Refused
from ledger.history import Entry
from ledger.job import Job
from ledger.lifecycle import RESUBMITTABLE_JOB
from ledger.moment import Moment
from ledger.one_offs import Target
from ledger.outbox import Outbox
from ledger.pages import Page, page
from ledger.schema import jobs

_FIXED = (
    "id",
    "provider",
    "model",
    "input",
    "parameters",
    "metadata",
    "created_at",
    "resubmit_of",
    "subscribers",
    "notify_id",
    "traceparent",
)
_HOLD = bulk.ByIds(
    select(*(jobs.c[name] for name in Job._fields))
    .where(jobs.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(jobs.c.id)
    .with_for_update()
)
_PLACES = range(len(Job._fields))
_CHANGING = tuple(place for place, name in enumerate(Job._fields) if name not in _FIXED)


@dataclass(frozen=True, slots=True)
class Draft:
    """A job that someone asks for. `idempotency_digest` is a hash of the request that came with the key.

    `subscribers` are those that alone are told of it, None for all that want it; `notify` is told besides. Its
    `traceparent` is that of the request.
    """

    provider: str
    model: str
    input: dict[str, Any]
    parameters: dict[str, Any]
    metadata: dict[str, Any]
    warnings: Sequence[str] = ()
    resubmit_of: str | None = None
    idempotency_key: str | None = None
    idempotency_digest: str | None = None
    subscribers: list[str] | None = None
    notify: Target | None = None
    traceparent: str | None = None


class KeysReused(KeyReused):
    """Idempotency keys that belong to other requests; `positions` are those of their drafts, from 0."""

    def __init__(self, positions: Sequence[int]) -> None:
        super().__init__("this Idempotency-Key was used for another request; use a new key for a new job")
        self.positions = tuple(positions)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which jobs to list; None is any. Times are in milliseconds, `created_before` exclusive."""

    status: str | None = None
    provider: str | None = None
    model: str | None = None
    task_id: str | None = None
    created_after: int | None = None
    created_before: int | None = None


def create(connection: Connection, moment: Moment, draft: Draft) -> Job:
    """Records a job, or returns the one that its idempotency key already made. Raises `KeyReused`."""
    try:
        return create_all(connection, moment, [draft])[0]
    except KeysReused as reused:
        raise KeyReused(str(reused)) from None


def create_all(connection: Connection, moment: Moment, drafts: Sequence[Draft]) -> list[Job]:
    """Records jobs, all or none, and returns them in order. Raises `KeysReused`.

    A draft whose idempotency key already made a job, also one of the same drafts, gets that job.
    """
    known = _by_key(connection, drafts)
    answers, new = _matched(moment, drafts, known)
    # On PostgreSQL the same key may come to another process in this very moment; nothing else can go wrong here.
    contested = connection.dialect.name == "postgresql" and any(job.idempotency_key for job, _ in new)
    try:
        with connection.begin_nested() if contested else nullcontext():
            _insert(connection, [job for job, _ in new])
            targets = ((job.notify_id, job.id, draft.notify) for job, draft in new)
            one_offs.register(connection, moment, targets)
    except IntegrityError:
        if _by_key(connection, drafts).keys() <= known.keys():
            raise
        return create_all(connection, moment, drafts)
    return answers


def get(connection: Connection, job_id: str) -> Job:
    """One job. Raises `NotFound`."""
    row = connection.execute(select(jobs).where(jobs.c.id == job_id)).one_or_none()
    if row is None:
        raise NotFound(f"there is no job {job_id}")
    return Job.of(row)


def find(connection: Connection, wanted: Filter, *, cursor: str | None, limit: int) -> Page[Job]:
    """Jobs, newest first. Raises `BadCursor`."""
    query = select(jobs)
    for name in ("status", "provider", "model", "task_id"):
        if (value := getattr(wanted, name)) is not None:
            query = query.where(jobs.c[name] == value)
    if wanted.created_after is not None:
        query = query.where(jobs.c.created_at >= wanted.created_after)
    if wanted.created_before is not None:
        query = query.where(jobs.c.created_at < wanted.created_before)
    found = page(connection, query, jobs, "job", cursor=cursor, limit=limit)
    return Page([Job.of(row) for row in found.data], found.next_cursor)


def lock(connection: Connection, job_ids: Iterable[str]) -> dict[str, Job]:
    """Holds these jobs, in id order so that two transactions never wait for each other in a circle."""
    return {row[0]: Job._make(row) for row in _HOLD(connection, job_ids)}


def lock_one(connection: Connection, job_id: str) -> Job:
    """Holds one job. Raises `NotFound`."""
    try:
        return lock(connection, [job_id])[job_id]
    except KeyError:
        raise NotFound(f"there is no job {job_id}") from None


def save(connection: Connection, changed: Sequence[Job], before: Mapping[str, Job] | None = None) -> None:
    """Writes jobs that this transaction holds. Where it is known what they were `before`, only what is different: a
    column that is written moves its index, too."""
    places: Iterable[int] = _CHANGING
    if before is not None:
        places = sorted({place for job in changed for place in compress(_PLACES, map(is_not, before[job.id], job))})
    if places:
        names = ("id", *(Job._fields[place] for place in places))
        values = itemgetter(0, *places)
        bulk.change(connection, jobs, names, [values(job) for job in changed])


def cancel(connection: Connection, moment: Moment, job_id: str, *, at_provider: bool = False) -> Job:
    """Takes a job back: one that is queued, or with `at_provider` one that the provider has canceled.

    Raises `NotFound`, and `Refused` where the job has moved on.
    """
    job = lock_one(connection, job_id)
    if job.status == "canceled":
        return job
    if job.status not in (("pending", "queued") if at_provider else ("queued",)):
        raise Refused(f"the job is {job.status} and can no longer be canceled")
    outbox = Outbox(connection, moment)
    where = "at the provider" if at_provider else "before it was sent"
    job = outbox.announce(job.moved("canceled", moment.now), "canceled")
    history.add(connection, [Entry(job.id, moment.now, "canceled", f"canceled {where}")])
    save(connection, [job])
    outbox.write()
    return job


def resubmit(connection: Connection, moment: Moment, job_id: str) -> Job:
    """Records a new job that asks for the same as an old one. Raises `NotFound` and `Refused`."""
    old = lock_one(connection, job_id)
    if old.status not in RESUBMITTABLE_JOB:
        raise Refused(f"the job is {old.status}; only one that is {', '.join(RESUBMITTABLE_JOB)} can be resubmitted")
    job = create(
        connection,
        moment,
        Draft(
            provider=old.provider,
            model=old.model,
            input=old.input,
            parameters=old.parameters,
            metadata=old.metadata,
            resubmit_of=old.id,
            subscribers=old.subscribers,
            notify=None if old.notify_id is None else one_offs.target_of(connection, old.notify_id),
            traceparent=old.traceparent,
        ),
    )
    history.add(connection, [Entry(old.id, moment.now, "resubmitted", f"resubmitted as {job.id}")])
    return job


def _by_key(connection: Connection, drafts: Sequence[Draft]) -> dict[str, Job]:
    """The jobs that the drafts' idempotency keys already made."""
    keys = {draft.idempotency_key for draft in drafts if draft.idempotency_key is not None}
    rows = connection.execute(select(jobs).where(jobs.c.idempotency_key.in_(keys))) if keys else ()
    return {row.idempotency_key: Job.of(row) for row in rows}


def _matched(
    moment: Moment, drafts: Sequence[Draft], known: Mapping[str, Job]
) -> tuple[list[Job], list[tuple[Job, Draft]]]:
    """Each draft's job, and those of them that are new with their drafts. Raises `KeysReused`."""
    made, reused = dict(known), []
    answers: list[Job] = []
    new: list[tuple[Job, Draft]] = []
    for position, draft in enumerate(drafts):
        key = draft.idempotency_key
        job = made.get(key) if key is not None else None
        if job is None:
            job = _recorded(moment, draft)
            new.append((job, draft))
            made |= {key: job} if key is not None else {}
        elif job.idempotency_digest != draft.idempotency_digest:
            reused.append(position)
        answers.append(job)
    if reused:
        raise KeysReused(reused)
    return answers, new


def _recorded(moment: Moment, draft: Draft) -> Job:
    return Job(
        id=moment.id("job"),
        provider=draft.provider,
        model=draft.model,
        status="queued",
        input=draft.input,
        parameters=draft.parameters,
        metadata=draft.metadata,
        warnings=list(draft.warnings),
        created_at=moment.now,
        due_at=moment.now,
        resubmit_of=draft.resubmit_of,
        idempotency_key=draft.idempotency_key,
        idempotency_digest=draft.idempotency_digest,
        subscribers=draft.subscribers,
        notify_id=None if draft.notify is None else moment.id("sub"),
        traceparent=draft.traceparent,
    )


def _insert(connection: Connection, new: Sequence[Job]) -> None:
    if new:
        # In one order for everybody, so that two processes never wait for each other's keys in a circle.
        by_key = sorted(new, key=lambda job: job.idempotency_key or "")
        bulk.add(connection, jobs, [job._asdict() for job in by_key])
