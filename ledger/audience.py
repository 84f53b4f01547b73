"""Who gets a notification: the subscribers that want it, as far as its job does not name others."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import Connection, Row, bindparam, select

from ledger import lanes
from ledger.events import wants
from ledger.filters import matches
from ledger.job import Job
from ledger.schema import subscribers as table


@dataclass(frozen=True, slots=True)
class Reader:
    """A subscriber, as far as addressing goes. `schedule` holds its own delays in milliseconds, if it has any.

    `job_id` is that of a one-off's only job.
    """

    id: str
    lane: str
    events: tuple[str, ...]
    filter: dict[str, Any] | None = None
    enabled: bool = True
    schedule: list[int] | None = None
    job_id: str | None = None

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """The reader of a subscriber's row."""
        lane = lanes.key_of(row.id, row.url, row.job_id)
        return cls(row.id, lane, tuple(row.events), row.filter, row.enabled, row.schedule, row.job_id)

    def gets(self, event: str, job: Job) -> bool:
        """Whether it is told this of a job. A job that names its subscribers tells no others, whatever they filter."""
        if not wants(self.events, event):
            return False
        if self.job_id is not None:
            return self.job_id == job.id
        return matches(self.filter, job) if job.subscribers is None else self.id in job.subscribers


_COLUMNS = [table.c[name] for name in ("id", "url", "events", "filter", "enabled", "schedule", "job_id")]
_STANDING = select(*_COLUMNS).where(table.c.job_id.is_(None), table.c.deleted_at.is_(None)).order_by(table.c.id)
_READERS = select(*_COLUMNS).where(table.c.id.in_(bindparam("ids", expanding=True)), table.c.deleted_at.is_(None))


class Audience:
    """The subscribers, read once in a transaction, and only if anything is to be told."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._standing: list[Reader] | None = None
        self._one_off: dict[str, Reader] = {}

    def standing(self) -> list[Reader]:
        """All subscribers that are registered for more than one job."""
        if self._standing is None:
            self._standing = [Reader.of(row) for row in self._connection.execute(_STANDING)]
        return self._standing

    def of(self, event: str, job: Job) -> list[Reader]:
        """Who is told this of a job."""
        readers = self.standing()
        if job.notify_id is not None:
            self.meet([job])
            readers = [*readers, *(self._one_off[one] for one in [job.notify_id] if one in self._one_off)]
        return [reader for reader in readers if reader.gets(event, job)]

    def reader(self, subscriber_id: str) -> Reader:
        """One subscriber, whoever it is for."""
        return Reader.of(self._connection.execute(select(*_COLUMNS).where(table.c.id == subscriber_id)).one())

    def meet(self, jobs: Iterable[Job]) -> None:
        """Reads the one-off subscribers of these jobs together, for those who are about to tell of many."""
        wanted: Collection[str] = {job.notify_id for job in jobs if job.notify_id is not None} - self._one_off.keys()
        if wanted:
            found = self._connection.execute(_READERS, {"ids": sorted(wanted)})
            self._one_off |= {row.id: Reader.of(row) for row in found}
