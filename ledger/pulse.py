"""A cheap sign that something happened, for pages that draw themselves again."""

from sqlalchemy import Connection, func, select

from ledger.schema import artifacts, attempts, audit, callbacks, deliveries, history, jobs, notifications

Pulse = tuple[str | int | None, ...]
"""Compared with an earlier one: another one means that there is something new."""

_NEWEST = select(
    *(
        select(func.max(table.c.id)).scalar_subquery().label(table.name)
        for table in (jobs, callbacks, notifications, deliveries, attempts, artifacts, history, audit)
    )
)


def read(connection: Connection) -> Pulse:
    """The newest of everything that is only ever added: it costs one step down an index each."""
    return tuple(connection.execute(_NEWEST).one())
