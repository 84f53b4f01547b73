"""Pace shared by every process on the database: evenly spaced slots. A full bucket would burst past the limit."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from ledger.moment import Moment
from ledger.schema import paces

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


def reserve(connection: Connection, moment: Moment, key: str, rate: float, wanted: int) -> Slots:
    """Takes up to `wanted` slots of a pace."""
    if rate <= 0:
        return Slots((moment.now,) * wanted, moment.now)
    interval = 1_000 / rate
    start = max(hold(connection, key), float(moment.now))
    count = (
        min(wanted, max(0, int((moment.now + HORIZON - start) // interval) + 1)) if start <= moment.now + HORIZON else 0
    )
    next_at = start + count * interval
    if count:
        connection.execute(update(paces).where(paces.c.key == key).values(next_at=next_at))
    return Slots(tuple(ceil(start + i * interval) for i in range(count)), ceil(next_at))


def hold(connection: Connection, key: str) -> float:
    """Holds a pace until the transaction ends; returns when its next slot is free."""
    held = select(paces.c.next_at).where(paces.c.key == key).with_for_update()
    found: float | None = connection.execute(held).scalar()
    if found is None:
        try:
            with connection.begin_nested():
                connection.execute(insert(paces).values(key=key, next_at=0.0, slowdown=1.0))
        except IntegrityError:
            pass  # another process made it first
        found = float(connection.execute(held).scalar_one())
    return found
