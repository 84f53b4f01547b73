"""Finding jobs as a person does: by any id, by words of the prompt, by metadata. What a look costs is bounded.

A whole id goes straight through an index. Words, and filters that no index serves, are looked for among the newest
jobs, so many at a time; the cursor goes on behind them.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, select

from ledger import ids
from ledger.clock import MINUTE
from ledger.columns import beginning
from ledger.job import Job
from ledger.jobs import Filter
from ledger.jsontext import compact
from ledger.pages import cursor_of, last_seen
from ledger.schema import artifacts, attempts, callbacks, deliveries, jobs, notifications

LOOKED_AT = 1_000
"""Jobs that one look reads at most."""

READ = 8_000
"""How much of a job's input, and of its metadata, is searched, in characters."""

MAX_TEXT = 200
"""How long what is searched for may be, in characters."""

_AHEAD = MINUTE
"""By how much an id may be later than its job: ids go on when a clock is set back."""

_TERM = re.compile(r'(?:[^\s"]|"[^"]*"?)+')


@dataclass(frozen=True, slots=True)
class Hits:
    """Jobs that were found, newest first, among `looked_at` jobs; `back_to` is when the oldest of those was made.

    With a `next_cursor` there may be more, also where nothing was found yet.
    """

    ids: Sequence[str]
    next_cursor: str | None = None
    looked_at: int = 0
    back_to: int | None = None


def find(connection: Connection, text: str | None, wanted: Filter, *, cursor: str | None, limit: int) -> Hits:
    """Jobs that are `wanted` and hold all of `text`: words, phrases in quotes, and metadata as `key=value`.

    A text that is the whole id of a job, of its task, or of something that belongs to it is that job. Raises
    `BadCursor`.
    """
    text = (text or "").strip()
    if text and cursor is None and (named := _named(connection, text, limit)):
        rows = connection.execute(_columns("").where(jobs.c.id.in_(named)).order_by(jobs.c.id.desc())).all()
        return Hits([row.id for row in rows if _is_wanted(row, wanted)], looked_at=len(rows))
    return _look(connection, text, wanted, cursor, limit)


def load(connection: Connection, job_ids: Sequence[str]) -> list[Job]:
    """The jobs with these ids that there are, newest first."""
    query = select(jobs).where(jobs.c.id.in_(job_ids)).order_by(jobs.c.id.desc())
    return [Job.of(row) for row in connection.execute(query)]


def start_of(text: str, length: int = READ) -> Any:
    """What the JSON of a column holds; of one that was cut off, or is none any more, the text itself."""
    try:
        return json.loads(text) if len(text) < length else text
    except (ValueError, RecursionError):
        return text


def _look(connection: Connection, text: str, wanted: Filter, cursor: str | None, limit: int) -> Hits:
    terms = [term.replace('"', "") for term in _TERM.findall(text)]
    query = _reached(_columns(text), wanted)
    if cursor is not None:
        query = query.where(jobs.c.id < last_seen(cursor, "job"))
    rows = connection.execute(query.order_by(jobs.c.id.desc()).limit(LOOKED_AT + 1)).all()
    fits = (
        place
        for place, row in enumerate(rows[:LOOKED_AT])
        if _is_wanted(row, wanted) and all(_holds(row, term) for term in terms)
    )
    found = list(islice(fits, limit))
    looked = found[-1] + 1 if len(found) == limit else min(len(rows), LOOKED_AT)
    last = rows[looked - 1].id if looked else None
    return Hits(
        [rows[place].id for place in found],
        next_cursor=cursor_of(last) if last is not None and len(rows) > looked else None,
        looked_at=looked,
        back_to=None if last is None else ids.made_at(last),
    )


def _columns(text: str) -> Select[Any]:
    judged = (jobs.c.id, jobs.c.status, jobs.c.provider, jobs.c.model, jobs.c.task_id, jobs.c.created_at)
    searched = (beginning(jobs.c.input, READ), beginning(jobs.c.metadata, READ)) if text else ()
    return select(*judged, *searched)


def _reached(query: Select[Any], wanted: Filter) -> Select[Any]:
    """That part of the table which is read newest first; the rest of what is wanted is judged row by row."""
    if wanted.task_id is not None:
        query = query.where(jobs.c.task_id == wanted.task_id)
    elif wanted.status is not None:
        query = query.where(jobs.c.status == wanted.status)
    elif wanted.provider is not None and wanted.model is not None:
        query = query.where(jobs.c.provider == wanted.provider, jobs.c.model == wanted.model)
    if wanted.created_after is not None:
        query = query.where(jobs.c.id >= ids.first("job", wanted.created_after))
    if wanted.created_before is not None:
        query = query.where(jobs.c.id < ids.first("job", wanted.created_before + _AHEAD))
    return query


def _is_wanted(row: Row[Any], wanted: Filter) -> bool:
    same = all(
        getattr(wanted, name) in (None, row._mapping[name]) for name in ("status", "provider", "model", "task_id")
    )
    after = wanted.created_after is None or row.created_at >= wanted.created_after
    return same and after and (wanted.created_before is None or row.created_at < wanted.created_before)


def _holds(row: Row[Any], term: str) -> bool:
    metadata = start_of(row.metadata)
    key, separator, value = term.partition("=")
    if separator and isinstance(metadata, dict) and key in metadata and _is(metadata[key], value):
        return True
    word = term.casefold()
    return any(word in text.casefold() for place in (start_of(row.input), metadata) for text in _texts(place))


def _is(held: Any, value: str) -> bool:
    return any(value == (one if isinstance(one, str) else compact(one)) for one in _one_or_all(held))


def _one_or_all(held: Any) -> list[Any]:
    return held if isinstance(held, list) else [held]


def _texts(value: Any) -> Iterator[str]:
    """Every text and number in it; of objects the values only, for all inputs have the same keys."""
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value
    elif value is not None:
        yield compact(value)


def _named(connection: Connection, text: str, limit: int) -> list[str]:
    """The jobs that have this id, or whose callback, notification, delivery, attempt or artifact has it."""
    for prefix, owner in _OWNERS.items():
        if ids.is_id(text, prefix) and (found := connection.execute(owner(text)).scalar()):
            return [found]
    by_task = select(jobs.c.id).where(jobs.c.task_id == text).order_by(jobs.c.id.desc()).limit(limit)
    return list(connection.execute(by_task).scalars())


def _belonging(table: Table) -> Callable[[str], Select[Any]]:
    return lambda text: select(table.c.job_id).where(table.c.id == text)


def _of_attempt(text: str) -> Select[Any]:
    mine = select(attempts.c.delivery_id).where(attempts.c.id == text)
    return select(deliveries.c.job_id).where(deliveries.c.id == mine.scalar_subquery())


_OWNERS: dict[str, Callable[[str], Select[Any]]] = {
    "job": lambda text: select(jobs.c.id).where(jobs.c.id == text),
    "cb": _belonging(callbacks),
    "ntf": _belonging(notifications),
    "dlv": _belonging(deliveries),
    "att": _of_attempt,
    "art": _belonging(artifacts),
}
"""Which job an id leads to, by its prefix."""
