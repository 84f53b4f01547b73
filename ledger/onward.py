"""What callbacks and ended attempts make possible at once: in the transaction that stores them, what is due is claimed.

One transaction, one wait for the disk and one turn of the event loop, where it would be two.
"""

from collections.abc import Sequence
from itertools import zip_longest
from typing import NamedTuple

from sqlalchemy import Connection

from ledger import accept, settling
from ledger.accept import Arrival
from ledger.errors import NeedsSavepoint
from ledger.lane import Circuit
from ledger.moment import Moment
from ledger.parcels import Claim, Parcel, claim
from ledger.settling import Settlement


class Order(NamedTuple):
    """How many deliveries are to be claimed at most, and for how many milliseconds."""

    limit: int
    lease: int


class Recorded(NamedTuple):
    """Whether an attempt was recorded, and what was claimed in the same transaction; `onward` takes its place."""

    settled: bool
    claim: Claim | None = None
    onward: Parcel | None = None


def store(
    connection: Connection, moment: Moment, arrivals: Sequence[Arrival], archive: bool, order: Order | None
) -> list[tuple[str | None, Claim | None]]:
    """Accepts callbacks. The verdict on each; and with the first, what is to be sent now."""
    verdicts = accept.accept(connection, moment, arrivals, archive=archive)
    claimed = claim_beside(connection, moment, order)
    return [(verdict, claimed if place == 0 else None) for place, verdict in enumerate(verdicts)]


def settle(
    connection: Connection, moment: Moment, settlements: Sequence[Settlement], circuit: Circuit, order: Order | None
) -> list[Recorded]:
    """Settles attempts. What became of each; and with each, one that takes its place."""
    settled = settling.settle(connection, moment, settlements, circuit)
    claimed = claim_beside(connection, moment, order)
    if claimed is None:
        return [Recorded(one) for one in settled]
    return [Recorded(one, claimed, onward) for one, onward in zip_longest(settled, claimed.rows)]


def claim_beside(connection: Connection, moment: Moment, order: Order | None) -> Claim | None:
    """Claims in the transaction of somebody whose work must not fail with it: None if it cannot be done. Whoever then
    claims by itself hears why."""
    if order is None:
        return None
    if connection.dialect.name == "sqlite" and not connection.in_nested_transaction():
        try:
            return claim(connection, moment, limit=order.limit, lease=order.lease)
        except Exception as error:
            raise NeedsSavepoint from error
    savepoint = connection.begin_nested()
    try:
        claimed = claim(connection, moment, limit=order.limit, lease=order.lease)
        savepoint.commit()
    except Exception:
        savepoint.rollback()
        return None
    return claimed
