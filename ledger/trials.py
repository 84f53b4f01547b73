"""Trials: a notification sent to one subscriber now, ahead of all that waits, to see whether it arrives."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, or_, select, update

from ledger import parcels, subscribers
from ledger.moment import Moment
from ledger.outbox import TRIAL, Outbox
from ledger.parcels import Parcel
from ledger.schema import deliveries, notifications


def begin(
    connection: Connection, moment: Moment, subscriber_id: str, event: str, data: dict[str, Any], lease: int
) -> Parcel:
    """Writes the notification and claims its delivery for `lease` milliseconds; returns what an attempt needs.

    A disabled subscriber can be tried too: that is how to know that it may be enabled. Raises `NotFound`.
    """
    subscribers.get(connection, subscriber_id)
    outbox = Outbox(connection, moment)
    delivery_id = outbox.send(event, data, subscriber_id, trial=True)
    outbox.write()
    claimed = {"status": "delivering", "lease": 1, "due_at": moment.now + lease, "trigger": "manual"}
    connection.execute(update(deliveries).where(deliveries.c.id == delivery_id).values(**claimed))
    return parcels.load(connection, [delivery_id])[0]


def no_trial() -> ColumnElement[bool]:
    """What holds of a delivery that was owed: a trial is for the moment only, and nobody misses it afterwards."""
    its = select(notifications.c.id).where(notifications.c.id == deliveries.c.notification_id)
    return or_(deliveries.c.job_id.is_not(None), ~its.where(notifications.c.sequence == TRIAL).exists())
