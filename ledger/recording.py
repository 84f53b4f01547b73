"""Recording what requests ask for: jobs, and who is told of them, in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from ledger import jobs, one_offs, subscribers
from ledger.errors import Refused
from ledger.job import Job
from ledger.jobs import Draft
from ledger.moment import Moment
from ledger.one_offs import Target
from ledger.schema import jobs as table

_PART = 10_000
"""How many ids one statement names: both databases take some 32,000."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A job, and the target it brought along; None if it brought none, or that was deleted since."""

    job: Job
    target: Target | None


class Strangers(Refused):
    """Jobs name who is no subscriber. `places` are the positions of the draft and of the id in it, both from 0."""

    def __init__(self, places: Sequence[tuple[int, int]]) -> None:
        super().__init__("there is no such subscriber")
        self.places = tuple(places)


def record(connection: Connection, moment: Moment, drafts: Sequence[Draft]) -> list[Recorded]:
    """Records jobs, all or none, and returns them in order. Raises `Strangers` and `KeysReused`.

    A draft whose idempotency key already made a job gets that job, though one that it names was deleted since.
    """
    if strangers := _strangers(connection, drafts):
        raise Strangers(strangers)
    made = jobs.create_all(connection, moment, drafts)
    targets = one_offs.targets_of(connection, {job.notify_id for job in made if job.notify_id is not None})
    return [Recorded(job, None if job.notify_id is None else targets.get(job.notify_id)) for job in made]


def _strangers(connection: Connection, drafts: Sequence[Draft]) -> list[tuple[int, int]]:
    named = sorted({one for draft in drafts for one in draft.subscribers or ()})
    unknown = {
        one for i in range(0, len(named), _PART) for one in subscribers.missing(connection, named[i : i + _PART])
    }
    if not unknown:
        return []
    keys = {draft.idempotency_key for draft in drafts if draft.idempotency_key is not None}
    known = set(connection.scalars(select(table.c.idempotency_key).where(table.c.idempotency_key.in_(sorted(keys)))))
    return [
        (position, place)
        for position, draft in enumerate(drafts)
        if draft.idempotency_key not in known
        for place, one in enumerate(draft.subscribers or ())
        if one in unknown
    ]
