"""How a subscriber has been doing lately: what waits for it, what it got last, and why attempts failed.

What is looked at is bounded, however much there is: the newest deliveries stand for all.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, func, literal_column, select

from ledger.columns import in_states
from ledger.lifecycle import OPEN_DELIVERY
from ledger.overview import Count
from ledger.schema import attempts, deliveries

MOST = 1_000
"""Waiting deliveries are counted up to this."""

LOOKED_AT = 500
"""The newest deliveries of a subscriber that are looked at, and the newest attempts of these."""


@dataclass(frozen=True, slots=True)
class Lately:
    """The newest deliveries by state; when the last of them arrived, in milliseconds, if one did; whether there are
    more than were looked at."""

    states: dict[str, int]
    last_success: int | None
    more: bool


@dataclass(frozen=True, slots=True)
class Reason:
    """Attempts that failed alike: how many, and the newest of them. `status_code` is None where none came."""

    error_class: str
    status_code: int | None
    count: int
    error: str | None
    at: int
    delivery_id: str


def waiting(connection: Connection, row: Row[Any]) -> Count:
    """How many deliveries a subscriber is still owed."""
    query: Select[Any] = select(literal_column("1")).select_from(deliveries)
    query = query.where(deliveries.c.subscriber_id == row.id)
    if row.job_id is None:  # its lane is its own, and has an index of what is open
        query = query.where(deliveries.c.lane == row.id)
    query = query.where(in_states(deliveries, *OPEN_DELIVERY))
    found = connection.execute(select(func.count()).select_from(query.limit(MOST + 1).subquery())).scalar_one()
    return Count(min(found, MOST), found > MOST)


def lately(connection: Connection, subscriber_id: str, looked_at: int = LOOKED_AT) -> Lately:
    """How the newest deliveries of a subscriber are."""
    found = connection.execute(_newest(subscriber_id, looked_at + 1)).all()
    arrived = [row.finished_at for row in found if row.status == "delivered" and row.finished_at is not None]
    states = Counter(row.status for row in found[:looked_at])
    return Lately(dict(states), max(arrived, default=None), len(found) > looked_at)


def failures(connection: Connection, subscriber_id: str) -> list[Reason]:
    """Why attempts failed lately, the most frequent reason first."""
    newest = _newest(subscriber_id, LOOKED_AT).subquery("newest")
    tried = (
        select(attempts.c.error_class, attempts.c.status_code, attempts.c.error)
        .add_columns(attempts.c.started_at, attempts.c.delivery_id)
        .join(newest, newest.c.id == attempts.c.delivery_id)
        .where(attempts.c.error_class.is_not(None))
        .order_by(newest.c.id.desc(), attempts.c.number.desc())
        .limit(LOOKED_AT)
    )
    groups: dict[tuple[str, int | None], list[Row[Any]]] = {}
    for row in connection.execute(tried):
        groups.setdefault((row.error_class, row.status_code), []).append(row)
    reasons = [_reason(*alike, rows) for alike, rows in groups.items()]
    return sorted(reasons, key=lambda one: (-one.count, -one.at))


def _newest(subscriber_id: str, limit: int) -> Select[Any]:
    query = select(deliveries.c.id, deliveries.c.status, deliveries.c.finished_at)
    return query.where(deliveries.c.subscriber_id == subscriber_id).order_by(deliveries.c.id.desc()).limit(limit)


def _reason(error_class: str, status_code: int | None, rows: Sequence[Row[Any]]) -> Reason:
    last = max(rows, key=lambda row: row.started_at)
    return Reason(error_class, status_code, len(rows), last.error, last.started_at, last.delivery_id)
