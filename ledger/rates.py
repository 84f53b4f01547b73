"""What happened in each of some equal steps of time, from a bounded sample of each: ids sort by time, so the index of
the primary key is one of time as well.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import CompoundSelect, Connection, Row, Select, bindparam, literal_column, select, union_all

from ledger import ids
from ledger.columns import in_states
from ledger.schema import attempts, deliveries

SAMPLE = 100
"""Rows that are read of each step: they tell its rates well enough, and it may have a million."""


class Try(NamedTuple):
    """One that happened at `at`; what it took, in milliseconds, and whether it was good."""

    at: int
    took: int
    good: bool


@dataclass(frozen=True, slots=True)
class Step:
    """The time from `start` until before `end`, and what happened in it, in order; with `more` only the first of it."""

    start: int
    end: int
    tries: Sequence[Try]
    more: bool


def attempts_in(connection: Connection, end: int, length: int, steps: int) -> list[Step]:
    """The attempts recorded in so many steps of `length` milliseconds, the last of which ends at `end`."""
    return _read(connection, "att", _attempts(steps), lambda row: row.b is None, end, length, steps)


def arrivals_in(connection: Connection, end: int, length: int, steps: int) -> list[Step]:
    """The deliveries made in these steps that arrived, and what that took from the callback on. Good are those that
    needed one attempt."""
    return _read(connection, "dlv", _arrivals(steps), lambda row: row.b == 1, end, length, steps)


def _read(
    connection: Connection,
    prefix: str,
    query: CompoundSelect[Any],
    good: Callable[[Row[Any]], bool],
    end: int,
    length: int,
    steps: int,
) -> list[Step]:
    edges = [end - length * (steps - n) for n in range(steps + 1)]
    found: list[list[Try]] = [[] for _ in range(steps)]
    for row in connection.execute(query, {f"edge_{n}": ids.first(prefix, edge) for n, edge in enumerate(edges)}):
        found[row.step].append(Try(ids.made_at(row.id), row.took, good(row)))
    return [Step(edges[n], edges[n + 1], sorted(tries)[:SAMPLE], len(tries) > SAMPLE) for n, tries in enumerate(found)]


@cache
def _attempts(steps: int) -> CompoundSelect[Any]:
    return _sampled(
        steps, select(attempts.c.id, attempts.c.duration_ms.label("took"), attempts.c.error_class.label("b"))
    )


@cache
def _arrivals(steps: int) -> CompoundSelect[Any]:
    took = (deliveries.c.finished_at - deliveries.c.created_at).label("took")
    query = select(deliveries.c.id, took, deliveries.c.attempt_count.label("b"))
    # What a person sent again took as long as they did.
    return _sampled(steps, query.where(in_states(deliveries, "delivered"), deliveries.c.attempts_before == 0))


def _sampled(steps: int, query: Select[Any]) -> CompoundSelect[Any]:
    """The first of each step, each read from its own place in the index."""
    id = query.selected_columns.id
    parts = [
        query.add_columns(literal_column(str(n)).label("step"))
        .where(id >= bindparam(f"edge_{n}"), id < bindparam(f"edge_{n + 1}"))
        .order_by(id)
        .limit(SAMPLE + 1)
        .subquery()
        for n in range(steps)
    ]
    return union_all(*(select(part) for part in parts))
