"""Pruning what is old: a small batch a transaction, so that nobody waits for it, and nothing that is still owed.

Ids sort by time, so a batch begins where the one before ended and reads nothing young: no index is needed for it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, exists, or_, select

from ledger import erase, ids
from ledger.columns import in_states
from ledger.deliveries import of_notices
from ledger.lifecycle import DELETABLE_JOB, OPEN_DELIVERY
from ledger.moment import Moment
from ledger.schema import attempts, audit, deliveries, jobs, lanes, notifications, subscribers

BATCH = 100
"""How many rows of its kind one transaction prunes, with all that belongs to them."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many things of a kind are gone; `last` is where the next batch begins, None when nothing older is left."""

    count: int
    last: str | None


Prune = Callable[[Connection, Moment, int, str], Pruned]
"""Prunes one batch of what ended before a time (UTC milliseconds), beginning behind a key; the first is empty."""


def prune_jobs(connection: Connection, moment: Moment, before: int, after: str) -> Pruned:
    """Erases finished jobs. Those that still owe a delivery wait, and those that are `unconfirmed` for a person."""
    query = select(jobs.c.id, jobs.c.status).where(jobs.c.id > after, jobs.c.id < ids.first("job", before))
    found = _hold(connection, query.where(jobs.c.finished_at < before), jobs.c.id)
    finished = [row.id for row in found if row.status in DELETABLE_JOB]
    held = _hold_deliveries(connection, deliveries.c.job_id.in_(finished))
    owing = {row.job_id for row in held if row.status in OPEN_DELIVERY}
    gone = [job_id for job_id in finished if job_id not in owing]
    if gone:
        erase.erase_all(connection, moment, gone)
    return _pruned(gone, found)


def prune_notices(connection: Connection, moment: Moment, before: int, after: str) -> Pruned:
    """Erases notifications that belong to no job (tests, and what operators are told) unless they are still owed."""
    table = notifications
    query = select(table.c.id).where(table.c.job_id.is_(None), table.c.id > after)
    found = _hold(connection, query.where(table.c.id < ids.first("ntf", before)), table.c.id)
    old = [row.id for row in found]
    held = _hold_deliveries(connection, and_(of_notices(old), deliveries.c.notification_id.in_(old))) if old else []
    owed = {row.notification_id for row in held if row.status in OPEN_DELIVERY}
    gone = [row.id for row in found if row.id not in owed]
    sent = [row.id for row in held if row.notification_id not in owed]
    if gone:
        connection.execute(delete(attempts).where(attempts.c.delivery_id.in_(sent)))
        connection.execute(delete(deliveries).where(deliveries.c.id.in_(sent)))
        connection.execute(delete(table).where(table.c.id.in_(gone)))
    return _pruned(gone, found)


def prune_subscribers(connection: Connection, moment: Moment, before: int, after: str) -> Pruned:
    """Erases deleted subscribers that no delivery names any more, with their secrets and who changed them."""
    table = subscribers
    query = select(table.c.id).where(table.c.job_id.is_(None), table.c.id > after, table.c.deleted_at < before)
    found = _hold(connection, query.where(~exists().where(deliveries.c.subscriber_id == table.c.id)), table.c.id)
    gone = [row.id for row in found]
    if gone:
        connection.execute(delete(audit).where(audit.c.subscriber_id.in_(gone)))
        connection.execute(delete(table).where(table.c.id.in_(gone)))
    return _pruned(gone, found)


def prune_lanes(connection: Connection, moment: Moment, before: int, after: str) -> Pruned:
    """Forgets how hosts of one-off URLs were doing that nothing waits for. A new delivery makes a lane anew."""
    waiting = exists().where(deliveries.c.lane == lanes.c.key, in_states(deliveries, *OPEN_DELIVERY))
    query = select(lanes.c.key).where(lanes.c.key > after, lanes.c.key.contains("://"), ~waiting)
    for since in (lanes.c.failing_since, lanes.c.paused_until, lanes.c.slowed_at):
        query = query.where(or_(since.is_(None), since < before))
    found = _hold(connection, query.where(lanes.c.next_at < before), lanes.c.key)
    gone = [row.key for row in found]
    if gone:
        connection.execute(delete(lanes).where(lanes.c.key.in_(gone)))
    return _pruned(gone, found)


KINDS: dict[str, Prune] = {
    "jobs": prune_jobs,
    "notices": prune_notices,
    "subscribers": prune_subscribers,
    "lanes": prune_lanes,
}
"""What is pruned, in order: a subscriber can go once the deliveries that name it are gone."""


def _hold(connection: Connection, query: Select[Any], key: Any) -> Sequence[Any]:
    """The next rows in order, but for those that somebody else holds: they are old, and can wait for the next pass."""
    return connection.execute(query.order_by(key).limit(BATCH).with_for_update(skip_locked=True)).all()


def _hold_deliveries(connection: Connection, these: ColumnElement[bool]) -> Sequence[Any]:
    """The deliveries of these, as they are now: a person may just have set one going again."""
    columns = (deliveries.c.id, deliveries.c.job_id, deliveries.c.notification_id, deliveries.c.status)
    query = select(*columns).where(these).order_by(deliveries.c.id)
    return connection.execute(query.with_for_update()).all()


def _pruned(gone: Sequence[str], found: Sequence[Any]) -> Pruned:
    return Pruned(len(gone), found[-1][0] if len(found) == BATCH else None)
