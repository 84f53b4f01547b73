"""Pace shared by every process on the database: evenly spaced slots. A full bucket would burst past the limit."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from sqlalchemy import Connection, Row, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from ledger.moment import Moment
from ledger.schema import paces

MAX_SLOWDOWN = 64.0
RECOVERY = 0.9
MAX_PAUSE = 3_600.0
"""The longest `Retry-After` that holds up a whole pace, in seconds."""

HORIZON = 250
"""How far ahead slots may be taken, in milliseconds: enough for a few at once, too little to hoard."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A provider's submissions: `rate` in slots a second, `in_flight` jobs out at once; 0 is no limit.

    `per_model` says whether each model has them for itself, or the account has them once.
    """

    rate: float
    in_flight: int = 0
    per_model: bool = True


@dataclass(frozen=True, slots=True)
class Slots:
    """When each may go, in milliseconds, and when the next slot is free."""

    times: tuple[int, ...]
    next_at: int


Limits = Mapping[str, Limit]
"""Limits by the provider's name; jobs of a provider that is not named stay queued."""

_HOLD = select(paces.c.next_at, paces.c.slowdown).where(paces.c.key == bindparam("pace")).with_for_update()
_MOVE = (
    update(paces)
    .where(paces.c.key == bindparam("pace"))
    .values(next_at=bindparam("new_next_at"), slowdown=bindparam("new_slowdown"))
)


def reserve(connection: Connection, moment: Moment, key: str, rate: float, wanted: int, ahead: int = 0) -> Slots:
    """Takes up to `wanted` slots of a pace, at most `ahead` of them beyond the horizon."""
    if rate <= 0:
        return Slots((moment.now,) * wanted, moment.now)
    pace = hold(connection, key)
    interval = 1_000 / rate * pace.slowdown
    start = max(pace.next_at, float(moment.now))
    reach = moment.now + HORIZON + ahead * interval
    count = min(wanted, int((reach - start) // interval) + 1) if start <= reach else 0
    next_at = start + count * interval
    if count:
        # Every slot eases a pace that was lowered; a provider that still throttles lowers it again by more than that.
        eased = max(1.0, pace.slowdown * RECOVERY**count)
        connection.execute(_MOVE, {"pace": key, "new_next_at": next_at, "new_slowdown": eased})
    return Slots(tuple(ceil(start + i * interval) for i in range(count)), ceil(next_at))


def throttled(connection: Connection, moment: Moment, key: str, retry_after: float | None) -> None:
    """The provider throttles: halves the pace, and leaves it alone for `retry_after` seconds if it said so."""
    pace = hold(connection, key)
    pause = moment.now + min(retry_after or 0.0, MAX_PAUSE) * 1_000
    slower = {"new_slowdown": min(pace.slowdown * 2, MAX_SLOWDOWN), "new_next_at": max(pace.next_at, pause)}
    connection.execute(_MOVE, {"pace": key, **slower})


def hold(connection: Connection, key: str) -> Row[float, float]:
    """Holds a pace until the transaction ends: when its next slot is free, and how much slower it goes than set."""
    found = connection.execute(_HOLD, {"pace": key}).one_or_none()
    if found is not None:
        return found
    with contextlib.suppress(IntegrityError), connection.begin_nested():  # another process may make it first
        connection.execute(insert(paces).values(key=key, next_at=0.0, slowdown=1.0))
    return connection.execute(_HOLD, {"pace": key}).one()
