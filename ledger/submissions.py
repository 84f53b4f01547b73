"""Jobs on their way to the provider: claimed under a lease, settled behind a fence.

A paid job is never sent twice by us: a lease that expires in `submitting` makes the job `unconfirmed`, not queued.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Integer, Select, bindparam, func, select, tuple_, update

from ledger import daily, history, jobs
from ledger.columns import in_states
from ledger.daily import Caps
from ledger.history import Entry
from ledger.job import Job
from ledger.lifecycle import IN_FLIGHT_JOB
from ledger.moment import Moment
from ledger.outbox import Outbox
from ledger.pace import Limits, Slots, hold, reserve, throttled
from ledger.schema import jobs as table
from ledger.submitted import Settlement, settled, unconfirmed

MAX_CLAIM = 64

_MINE = ("queued", "submitting")
"""What the submitter comes back for: jobs to send, and leases to end."""

_LATER = select(func.min(table.c.due_at)).where(in_states(table, *_MINE), table.c.due_at > bindparam("now"))
_SCOPES = (
    select(table.c.provider, table.c.model)
    .where(in_states(table, "queued"), table.c.due_at <= bindparam("now"))
    .distinct()
    # In one order for everybody, so that two processes never wait for each other's paces in a circle.
    .order_by(table.c.provider, table.c.model)
)
_OLDEST = (
    select(table)
    .where(in_states(table, "queued"), table.c.due_at <= bindparam("now"))
    .order_by(table.c.id)
    .limit(bindparam("most", type_=Integer))
    .with_for_update(skip_locked=True)
)
_IN_FLIGHT = select(func.count()).select_from(table).where(in_states(table, *IN_FLIGHT_JOB))
_MINE_STILL = (
    select(table.c.id)
    # Their ids by themselves, too: else SQLite reads all that are being submitted.
    .where(table.c.id.in_(bindparam("ids", expanding=True)))
    .where(tuple_(table.c.id, table.c.lease).in_(bindparam("claims", expanding=True)))
    .where(table.c.status == "submitting", table.c.due_at > bindparam("now"))
    .order_by(table.c.id)
    .with_for_update()
    .cte("mine")
    .prefix_with("MATERIALIZED")
)
_START = (
    update(table)
    .where(table.c.id.in_(select(_MINE_STILL.c.id)))
    .values(sending=True)
    .returning(table.c.id, table.c.lease)
)
_EXPIRED = (
    select(table)
    .where(table.c.status == "submitting", table.c.due_at <= bindparam("now"))
    .order_by(table.c.id)
    .limit(MAX_CLAIM)
    .with_for_update(skip_locked=True)
)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A job to send, not before `send_at` and not after its lease ends at `job.due_at`, under that `pace`."""

    job: Job
    send_at: int
    pace: str


@dataclass(frozen=True, slots=True)
class Claim:
    """What was claimed, and when there is more to do; None when only a new job can bring more."""

    jobs: tuple[Claimed, ...]
    next_due: int | None


class Settled(NamedTuple):
    """Whether the end of a submission was recorded, and whether somebody is to be told of one in the same batch."""

    mine: bool
    told: bool


def claim(connection: Connection, moment: Moment, limits: Limits, lease: int, caps: Caps = daily.UNCAPPED) -> Claim:
    """Takes queued jobs that are due, as many as their provider's and model's pace allows, oldest first.

    `lease` is how long a submission may take after its slot, in milliseconds. A job that would exceed its provider's
    daily cap is put off until midnight.
    """
    claimed: list[Claimed] = []
    dues: list[int] = []
    for provider, model in _due_scopes(connection, moment, limits):
        limit = limits[provider]
        pace, room = f"submit:{provider}:{model or '*'}", MAX_CLAIM
        left = daily.left(connection, moment, provider, caps)
        if limit.in_flight:
            hold(connection, pace)  # or two processes would count before either takes
            room = limit.in_flight - _in_flight(connection, provider, model)
        due = _oldest(connection, moment, provider, model, max(0, min(room, MAX_CLAIM)))
        queued = due if left is None else daily.within(connection, moment, due, left, caps[provider])
        dues += [moment.now] if len(queued) < len(due) else []
        if queued:
            slots = reserve(connection, moment, pace, limit.rate, len(queued))
            taken = _take(queued, slots, lease, pace)
            jobs.save(connection, [one.job for one in taken])  # at once: the next model's images count on top
            claimed += taken
            dues += [slots.next_at] if len(slots.times) < len(queued) or len(queued) == MAX_CLAIM else []
    later = connection.scalar(_LATER, {"now": moment.now})
    dues += [later] if later is not None else []
    return Claim(tuple(claimed), min(dues, default=None))


def settle(connection: Connection, moment: Moment, settlements: Sequence[Settlement]) -> list[Settled]:
    """Records how submissions ended, except where a callback, a person or the lease's end was faster."""
    held = jobs.lock(connection, (settlement.job_id for settlement in settlements))
    before = dict(held)
    outbox = Outbox(connection, moment)
    entries: list[Entry] = []
    answers: list[bool] = []
    for settlement in settlements:
        job = held.get(settlement.job_id)
        if job is None or job.lease != settlement.lease:
            answers.append(False)
            continue
        moved, entry = settled(job, settlement, moment.now)
        answers.append(moved is not job)
        if moved.status != job.status and moved.status != "queued":
            moved = outbox.announce(moved, moved.status)
        held[job.id] = moved
        entries += [entry] if entry else []
    _slow_down(connection, moment, settlements)
    jobs.save(connection, list(held.values()), before)
    history.add(connection, entries)
    told = outbox.write()
    return [Settled(mine, told) for mine in answers]


def start(connection: Connection, moment: Moment, claims: Sequence[tuple[str, int]]) -> list[bool]:
    """Says of claimed jobs (id, lease) that they are being sent, in the moment before: from here on they may be paid.

    False where the lease has ended or the job has moved on: such a job must not be sent.
    """
    given = {"ids": [job_id for job_id, _ in claims], "claims": sorted(claims), "now": moment.now}
    started = set(connection.execute(_START, given).all())
    return [claim in started for claim in claims]


def expire(connection: Connection, moment: Moment) -> int:
    """Ends leases that ran out: a job that was being sent becomes `unconfirmed`, any other is queued again.

    Returns how many there were.
    """
    rows = connection.execute(_EXPIRED, {"now": moment.now}).all()
    outbox = Outbox(connection, moment)
    entries: list[Entry] = []
    moved: list[Job] = []
    for job in [Job.of(row) for row in rows]:
        if job.sending:
            moved.append(outbox.announce(unconfirmed(job, moment.now), "unconfirmed"))
            why = "its submitter stopped before the provider's answer was recorded; it may have been taken"
            entries.append(Entry(job.id, moment.now, "unconfirmed", why))
        else:
            moved.append(job.moved("queued", moment.now, due_at=moment.now))
            entries.append(Entry(job.id, moment.now, "put_back", "its submitter stopped before it was sent"))
    jobs.save(connection, moved)
    history.add(connection, entries)
    outbox.write()
    return len(moved)


def abandon(connection: Connection, moment: Moment) -> None:
    """Ends every lease of a process that is known to be dead: on SQLite, at start, there is no other."""
    connection.execute(
        update(table).where(table.c.status == "submitting", table.c.due_at > moment.now).values(due_at=moment.now)
    )


def _due_scopes(connection: Connection, moment: Moment, limits: Limits) -> list[tuple[str, str | None]]:
    """Which provider and model, or whole provider, has something to send."""
    found = connection.execute(_SCOPES, {"now": moment.now}).all()
    scopes = (
        (provider, model if limits[provider].per_model else None) for provider, model in found if provider in limits
    )
    return list(dict.fromkeys(scopes))


def _oldest(connection: Connection, moment: Moment, provider: str, model: str | None, count: int) -> list[Job]:
    scope = {"provider": provider, "model": model}
    rows = connection.execute(_scoped(_OLDEST, model is not None), scope | {"now": moment.now, "most": count})
    return [Job.of(row) for row in rows]


def _in_flight(connection: Connection, provider: str, model: str | None) -> int:
    scope = {"provider": provider, "model": model}
    return int(connection.execute(_scoped(_IN_FLIGHT, model is not None), scope).scalar_one())


@cache
def _scoped(query: Select[Any], by_model: bool) -> Select[Any]:
    query = query.where(table.c.provider == bindparam("provider"))
    return query.where(table.c.model == bindparam("model")) if by_model else query


def _take(queued: Sequence[Job], slots: Slots, lease: int, pace: str) -> list[Claimed]:
    return [
        Claimed(_sending(job, slot, slot + lease), slot, pace) for job, slot in zip(queued, slots.times, strict=False)
    ]


def _sending(job: Job, sent_at: int, due_at: int) -> Job:
    counted = {"lease": job.lease + 1, "tries": job.tries + 1}
    return job.moved("submitting", sent_at, sent_at=sent_at, sending=False, due_at=due_at, **counted)


def _slow_down(connection: Connection, moment: Moment, settlements: Sequence[Settlement]) -> None:
    """Lowers each pace that was throttled, once."""
    slowed = {one.pace: one.retry_after for one in settlements if one.pace and one.throttled}
    for pace, retry_after in sorted(slowed.items()):
        throttled(connection, moment, pace, retry_after)
