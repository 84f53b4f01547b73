"""How everything is doing, for a page that is looked at often: what it costs is bounded, however much there is.

Counts end at `MOST`. What happened over time is in `ledger.rates`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    Column,
    CompoundSelect,
    Connection,
    Table,
    bindparam,
    func,
    or_,
    select,
    union_all,
)

from ledger import ids, queues, trials
from ledger.columns import in_states
from ledger.lane import SUSPECT
from ledger.lifecycle import OPEN_DELIVERY, WATCHED_JOB
from ledger.schema import deliveries, jobs, paces, subscribers
from ledger.schema import lanes as lane_table

MOST = 10_000
"""Counting ends there: more is more."""

LOOKED_AT = 1_000
"""Rows that are searched for the most overdue, oldest first, where no index leads to it."""

LISTED = 20
"""Subscribers in trouble that are named, of each kind."""


class Count(NamedTuple):
    """A number, and whether there are more than it says."""

    number: int
    more: bool = False


NONE = Count(0)


@dataclass(frozen=True, slots=True)
class Due:
    """The most overdue work of a kind: `jobs to send`, `jobs to ask about` or `deliveries`, due since `at`."""

    kind: str
    id: str
    at: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """A subscriber, or with no `url` the host of one-off URLs, that does not get what it should, and why.

    `failures` are consecutive, since `failing_since`; nothing is sent before `paused_until`. `dead` deliveries are
    counted among the newest of all.
    """

    id: str
    url: str | None
    enabled: bool = True
    disabled_reason: str | None = None
    failures: int = 0
    failing_since: int | None = None
    paused_until: int | None = None
    probing: bool = False
    dead: Count = NONE


@dataclass(frozen=True, slots=True)
class Pace:
    """A provider's pace, by its key such as `submit:dashscope:flux-dev`: when its next slot is free, and how many times
    slower than set it goes."""

    key: str
    next_at: float
    slowdown: float


def jobs_by_state(connection: Connection, states: Sequence[str], since: int = 0) -> dict[tuple[str, str], Count]:
    """How many jobs made since then are in each of these states, by state and provider."""
    return _counted(connection, _counting(jobs, jobs.c.provider, tuple(states)), ids.first("job", since))


def deliveries_by_state(connection: Connection, states: Sequence[str]) -> dict[str, Count]:
    """How many deliveries are in each of these states; trials that failed are not among the dead."""
    found = _counted(connection, _counting(deliveries, deliveries.c.status, tuple(states)), "")
    return {state: found.get((state, state), NONE) for state in states}


def most_overdue(connection: Connection, now: int, providers: Sequence[str]) -> list[Due]:
    """The most overdue of each kind of work, where something is overdue."""
    found = [
        _first_job(connection, "jobs to send", _TO_SEND, now),
        *(_first_job(connection, "jobs to ask about", _TO_ASK, now, provider=provider) for provider in providers),
        _first_delivery(connection, now),
    ]
    oldest: dict[str, Due] = {}
    for due in found:
        if due is not None and (due.kind not in oldest or due.at < oldest[due.kind].at):
            oldest[due.kind] = due
    return list(oldest.values())


def all_paces(connection: Connection) -> list[Pace]:
    """All paces, by key."""
    query = select(paces.c.key, paces.c.next_at, paces.c.slowdown).order_by(paces.c.key)
    return [Pace(row.key, row.next_at, row.slowdown) for row in connection.execute(query)]


def in_trouble(connection: Connection, now: int) -> list[Trouble]:
    """Subscribers that are disabled, keep failing, are held back, or have dead deliveries; those that fail first."""
    found: dict[str, dict[str, Any]] = {}
    for row in connection.execute(_DISABLED):
        found[row.id] = {"enabled": False, "disabled_reason": row.disabled_reason}
    for row in connection.execute(_FAILING, {"now": now}):
        held = {"failures": row.failures, "failing_since": row.failing_since, "probing": row.probing}
        paused = row.paused_until if row.paused_until and row.paused_until > now else None
        found.setdefault(row.key, {}).update(held, paused_until=paused)
    dead = connection.execute(_DEAD).all()
    more = sum(row.dead for row in dead) > LOOKED_AT
    for row in dead[:LISTED]:
        found.setdefault(row.subscriber_id, {})["dead"] = Count(min(row.dead, LOOKED_AT), more)
    known = {row.id: row for row in connection.execute(_URLS, {"ids": list(found)})} if found else {}
    troubles = [
        Trouble(id=key, url=known[key].url if key in known else None, **facts)
        for key, facts in found.items()
        if key not in known or known[key].deleted_at is None
    ]
    return sorted(troubles, key=lambda one: (-one.failures, one.enabled, -one.dead.number, one.id))


_TO_SEND = (
    select(jobs.c.id, jobs.c.due_at)
    .where(in_states(jobs, "queued"))
    .order_by(jobs.c.id)
    .limit(LOOKED_AT)
    .subquery("waiting")
)
_TO_ASK = (
    select(jobs.c.id, jobs.c.due_at)
    .where(in_states(jobs, *WATCHED_JOB), jobs.c.provider == bindparam("provider"))
    .order_by(jobs.c.due_at)
    .limit(1)
    .subquery("waiting")
)
_FIRST_OF_LANE = (
    select(deliveries.c.id)
    .where(in_states(deliveries, *OPEN_DELIVERY))
    .where(deliveries.c.lane == bindparam("lane"), deliveries.c.due_at == bindparam("due"))
    .limit(1)
)
_DISABLED = (
    select(subscribers.c.id, subscribers.c.disabled_reason)
    .where(subscribers.c.job_id.is_(None), subscribers.c.deleted_at.is_(None), subscribers.c.enabled.is_(False))
    .order_by(subscribers.c.id.desc())
    .limit(LISTED)
)
_FAILING = (
    select(lane_table)
    .where(or_(lane_table.c.failures >= SUSPECT, lane_table.c.paused_until > bindparam("now")))
    .order_by(lane_table.c.failures.desc(), lane_table.c.key)
    .limit(LISTED)
)
_NEWEST_DEAD = (
    select(deliveries.c.subscriber_id)
    .where(deliveries.c.status == "dead", trials.no_trial())
    .order_by(deliveries.c.id.desc())
    .limit(LOOKED_AT + 1)
    .subquery("newest")
)
_DEAD = (
    select(_NEWEST_DEAD.c.subscriber_id, func.count().label("dead"))
    .group_by(_NEWEST_DEAD.c.subscriber_id)
    .order_by(func.count().desc(), _NEWEST_DEAD.c.subscriber_id)
)
_URLS = select(subscribers.c.id, subscribers.c.url, subscribers.c.deleted_at).where(
    subscribers.c.id.in_(bindparam("ids", expanding=True))
)


@cache
def _counting(table: Table, by: Column[Any], states: tuple[str, ...]) -> CompoundSelect[Any]:
    """Each state by itself, so that each begins at its own place in the index and ends when there is enough."""
    parts = []
    for state in states:
        begun = [in_states(table, state), table.c.id >= bindparam("first")]
        if table is deliveries and state == "dead":
            begun.append(trials.no_trial())
        some = select(table.c.status, by.label("part")).where(*begun).limit(MOST + 1).subquery()
        parts.append(select(*some.c, func.count().label("number")).group_by(*some.c))
    return union_all(*parts)


def _counted(connection: Connection, query: CompoundSelect[Any], first: str) -> dict[tuple[str, str], Count]:
    rows = connection.execute(query, {"first": first}).all()
    totals: Counter[str] = Counter()
    for row in rows:
        totals[row.status] += row.number
    return {(row.status, row.part): Count(min(row.number, MOST), totals[row.status] > MOST) for row in rows}


def _first_job(connection: Connection, kind: str, waiting: Any, now: int, **given: str) -> Due | None:
    query = select(waiting).where(waiting.c.due_at <= now).order_by(waiting.c.due_at).limit(1)
    row = connection.execute(query, given).one_or_none()
    return None if row is None else Due(kind, row.id, row.due_at)


def _first_delivery(connection: Connection, now: int) -> Due | None:
    lane, due = next(((queue.key, queue.due) for queue in queues.waiting(connection)), ("", now + 1))
    if due > now:
        return None
    delivery_id = connection.execute(_FIRST_OF_LANE, {"lane": lane, "due": due}).scalar()
    return None if delivery_id is None else Due("deliveries", delivery_id, due)
