"""The daily cap on a provider's images: what would exceed it stays queued until midnight, in UTC.

An image counts from the moment its job is sent; a job that did not start after all, or was canceled, does not count.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Text, and_, case, func, not_, null, select, type_coerce, update

from ledger import history, jobs
from ledger.clock import DAY, rfc3339
from ledger.history import Entry
from ledger.job import Job
from ledger.moment import Moment
from ledger.pace import hold
from ledger.schema import jobs as table

Caps = Mapping[str, int]
"""Images a day by the provider's name; 0, or no name, is no cap."""

UNCAPPED: Caps = MappingProxyType({})

_NAMES = ("n", "count")
"""What providers call the number of images that a job asks for."""

_UNCOUNTED = ("queued", "canceled")


def images(parameters: Mapping[str, Any], given: Mapping[str, Any]) -> int:
    """How many images a job asks for; 1 where it does not say. `given` is its input, where AceData's may stand too."""
    asked = {**parameters, **given}
    counts = (asked.get(name) for name in _NAMES)
    return next((count for count in counts if type(count) is int and count > 0), 1)


def left(connection: Connection, moment: Moment, provider: str, caps: Caps) -> int | None:
    """How many images may still be asked for today; None is any number. Holds the count until the transaction ends."""
    if not caps.get(provider):
        return None
    hold(connection, f"day:{provider}")  # or two processes would count before either sends
    return caps[provider] - sent(connection, moment.now, provider)


def sent(connection: Connection, now: int, provider: str) -> int:
    """How many images a provider was asked for since midnight."""
    text = type_coerce(table.c.input, Text)
    counting = case((text.like('%"n":%') | text.like('%"count":%'), table.c.input), else_=null())
    query = (
        select(table.c.parameters, counting.label("given"), func.count().label("jobs"))
        .where(table.c.provider == provider, table.c.status.not_in(_UNCOUNTED))
        .where(not_(and_(table.c.status == "failed", table.c.task_id.is_(None))))  # refused: nothing was started
        .where(table.c.sent_at >= now - now % DAY)
        .group_by(table.c.parameters, counting)
    )
    return sum(row.jobs * images(row.parameters, row.given or {}) for row in connection.execute(query))


def within(connection: Connection, moment: Moment, due: Sequence[Job], left: int, cap: int) -> list[Job]:
    """Those of the due jobs that stay within what is left of the day; the others are put off, and say so."""
    fitting, put_off = [], []
    for job in due:
        asked = images(job.parameters, job.input)
        if asked <= left:
            left -= asked
            fitting.append(job)
        else:
            why = f"held: it would exceed the daily cap of {cap} images for {job.provider}"
            until = "it waits for 00:00 UTC or a higher cap" if asked <= cap else "only a higher cap can let it go"
            put_off.append(job.but(due_at=_midnight(moment)).warned(f"{why}; {until}"))
    jobs.save(connection, put_off)
    held = f"held by the daily cap of {cap} images until {rfc3339(_midnight(moment))}"
    history.add(connection, [Entry(job.id, moment.now, "held", held) for job in put_off])
    return fitting


def release(connection: Connection, moment: Moment) -> None:
    """Makes what waits for midnight due now: the cap may have been raised or taken away."""
    waiting = (table.c.status == "queued", table.c.due_at == _midnight(moment))
    connection.execute(update(table).where(*waiting).values(due_at=moment.now))


def _midnight(moment: Moment) -> int:
    return moment.now - moment.now % DAY + DAY
