"""The archiver's work: claiming artifacts that are due, and settling what became of each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, bindparam, case, delete, func, select, update

from ledger import bulk, history, jobs
from ledger.artifacts import used
from ledger.columns import in_states
from ledger.history import Entry
from ledger.job import Job, Link
from ledger.lifecycle import OPEN_ARTIFACT
from ledger.moment import Moment
from ledger.outbox import Outbox
from ledger.schema import artifacts as table

FULL = "the quota of all artifacts together is used up"

_OPEN = in_states(table, *OPEN_ARTIFACT, "discarded")
_DUE = select(table.c.id).where(_OPEN, table.c.due_at <= bindparam("now")).order_by(table.c.due_at)
# Materialized, or PostgreSQL may run it again for each row it joins, and take more than the limit.
_OLDEST = _DUE.limit(bindparam("limit")).with_for_update(skip_locked=True).cte("due").prefix_with("MATERIALIZED")
_TAKE = (
    update(table)
    .where(table.c.id.in_(select(_OLDEST.c.id)))
    .values(
        status=case((table.c.status == "discarded", "discarded"), else_="copying"),
        due_at=bindparam("lent_until"),
        lease=table.c.lease + 1,
    )
    .returning(table)
)
_LATER = select(func.min(table.c.due_at)).where(_OPEN, table.c.due_at > bindparam("now"))
_OF_JOBS = (
    select(table)
    .where(table.c.job_id.in_(bindparam("ids", expanding=True)))
    .order_by(table.c.job_id, table.c.position)
    .with_for_update()
)
_CHANGED = (
    "id",
    "status",
    "attempt_count",
    "due_at",
    "last_error",
    "media_type",
    "size",
    "sha256",
    "finished_at",
)


@dataclass(frozen=True, slots=True)
class Claim:
    """Rows of `artifacts` that are `copying`, or `discarded` and to be deleted; and when more is due.

    If `full`, more may be due now than the limit allowed, and nobody has looked for later.
    """

    rows: Sequence[Row[Any]]
    next_due: int | None
    full: bool = False


@dataclass(frozen=True, slots=True)
class Copy:
    """A file in storage: its size in bytes, its digest in hex, and its type as its first bytes tell."""

    media_type: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a try ended: with a copy, or an error. `due_at` is when it is tried again if it was not kept; None: never."""

    artifact_id: str
    job_id: str
    lease: int
    copy: Copy | None
    error: str | None
    due_at: int | None


class Settled(NamedTuple):
    """The state that an artifact is in, None where the lease is no longer the settler's; and whether somebody is to be
    told of a job in the same batch."""

    status: str | None
    told: bool


def claim(connection: Connection, moment: Moment, *, limit: int, lease: int) -> Claim:
    """Takes what is due, oldest first. `lease` is how long a try may take, in milliseconds."""
    taken = connection.execute(_TAKE, {"now": moment.now, "limit": limit, "lent_until": moment.now + lease})
    rows = sorted(taken.all(), key=lambda row: row.id)
    if len(rows) == limit:
        return Claim(rows, None, full=True)
    return Claim(rows, connection.scalar(_LATER, {"now": moment.now}))


def settle(
    connection: Connection, moment: Moment, settlements: Sequence[Settlement], *, quota: int, link: Link
) -> list[Settled]:
    """Records tries.

    A copy for which `quota` (bytes of all kept artifacts together; 0 is no limit) leaves no room is not kept. A job
    with nothing left to copy gets its artifacts, and those who want `job.archived` are notified.
    """
    # Before their artifacts, as who erases a job does.
    held_jobs = jobs.lock(connection, (one.job_id for one in settlements))
    held = {row.id: row for row in connection.execute(_OF_JOBS, {"ids": sorted(held_jobs)})}
    room = quota - used(connection) if quota else None
    changes: dict[str, tuple[Any, ...]] = {}
    entries: list[Entry] = []
    states: list[str | None] = []
    for one in settlements:
        row = held.get(one.artifact_id)
        if row is None or row.status != "copying" or row.lease != one.lease or row.id in changes:
            states.append(None)
            continue
        size = 0 if one.copy is None else one.copy.size
        if room is not None and size > room:
            one, size = replace(one, copy=None, error=FULL), 0
        room = None if room is None else room - size
        change = changes[row.id] = _change(row, one, moment.now)
        entries.append(Entry(row.job_id, moment.now, "artifact", _summary(row, one)))
        states.append(change[1])
    told = False
    if changes:
        bulk.change(connection, table, _CHANGED, list(changes.values()))
        history.add(connection, entries)
        touched = [held_jobs[job_id] for job_id in sorted({entry.job_id for entry in entries})]
        told = _archive(connection, moment, touched, [_image(row, changes.get(row.id)) for row in held.values()], link)
    return [Settled(status, told) for status in states]


def forget(connection: Connection, moment: Moment, artifact_id: str, lease: int) -> bool:
    """Removes a discarded artifact whose file is gone. False where the lease is no longer the caller's."""
    mine = delete(table).where(table.c.id == artifact_id, table.c.status == "discarded", table.c.lease == lease)
    return connection.execute(mine).rowcount == 1


def abandon(connection: Connection, moment: Moment) -> None:
    """Ends every lease of a process that is known to be dead: on SQLite, at start, there is no other."""
    leased = table.c.status.in_(("copying", "discarded"))
    connection.execute(update(table).where(leased, table.c.due_at > moment.now).values(due_at=moment.now))


def _change(row: Row[Any], one: Settlement, now: int) -> tuple[Any, ...]:
    """The values of `_CHANGED`."""
    tried = row.attempt_count + 1
    if one.copy is not None:
        kept = one.copy
        return row.id, "stored", tried, None, one.error, kept.media_type, kept.size, kept.sha256, now
    status, finished_at = ("failed", now) if one.due_at is None else ("pending", None)
    return row.id, status, tried, one.due_at, one.error, None, None, None, finished_at


def _summary(row: Row[Any], one: Settlement) -> str:
    image = f"image {row.position + 1}"
    if one.copy is not None:
        return f"{image} is kept: {one.copy.media_type}, {one.copy.size} bytes"
    return f"{image} could not be kept{'' if one.due_at is None else ' yet'}: {one.error}"


class _Image(NamedTuple):
    """What a job tells of one of its artifacts."""

    id: str
    job_id: str
    position: int
    status: str
    media_type: str | None
    size: int | None
    sha256: str | None
    last_error: str | None


def _image(row: Row[Any], change: tuple[Any, ...] | None) -> _Image:
    """An artifact as it is after its change, if it has one."""
    values = row._asdict() | dict(zip(_CHANGED, change or (), strict=False))
    return _Image(*(values[name] for name in _Image._fields))


def _archive(
    connection: Connection, moment: Moment, touched: Sequence[Job], images: Sequence[_Image], link: Link
) -> bool:
    """Completes those jobs of which nothing is left to copy. Whether somebody is to be told of one."""
    outbox = Outbox(connection, moment, link)
    waiting = {image.job_id for image in images if image.status in OPEN_ARTIFACT}
    complete = [
        outbox.announce(_with_artifacts(job, [image for image in images if image.job_id == job.id]), "archived")
        for job in touched
        if job.id not in waiting
    ]
    jobs.save(connection, complete, {job.id: job for job in touched})
    return outbox.write()


def _with_artifacts(job: Job, images: Sequence[_Image]) -> Job:
    kept = {image.position: image for image in images if image.status == "stored"}
    results = [
        {**result, "artifact": _facts(kept[position]) if position in kept else None}
        for position, result in enumerate(job.results or ())
    ]
    return job.but(results=results).warned(*_warnings(images))


def _facts(image: _Image) -> dict[str, Any]:
    return {"id": image.id, "media_type": image.media_type, "size": image.size, "sha256": image.sha256}


def _warnings(images: Sequence[_Image]) -> Iterator[str]:
    for image in images:
        if image.status == "failed":
            yield f"image {image.position + 1} could not be kept: {image.last_error}"
