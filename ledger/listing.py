"""Jobs as a list shows them: the start of their prompt, their images, and those too whose row is damaged."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, func, or_, select

from ledger.clock import rfc3339
from ledger.columns import beginning
from ledger.errors import Damaged
from ledger.lifecycle import OPEN_DELIVERY
from ledger.schema import deliveries, jobs
from ledger.search import READ, start_of

MOST_RESULTS = 40_000
"""How much of a job's results is read, in characters; of more, no image is shown."""

LOOKED_AT = 10_000
"""Deliveries that are looked at to tell which jobs have dead ones."""

_PROMPT = re.compile(r'"(?:prompt|text)":"((?:[^"\\]|\\.)*)')


@dataclass(frozen=True, slots=True)
class Artifact:
    """An image that we kept."""

    id: str
    media_type: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A job in a list. What cannot be read is None or empty, and then it is `damaged`; `images` are the provider's
    results, kept or not, and `failed` are those in whose place there is an error."""

    id: str
    provider: str
    model: str
    status: str
    task_id: str | None
    prompt: str
    created_at: int | None
    finished_at: int | None
    images: int
    failed: int
    artifacts: Sequence[Artifact]
    damaged: bool


@dataclass(frozen=True, slots=True)
class Missing:
    """How many deliveries of a job are dead, and how many failed so far and are tried again."""

    dead: int = 0
    failing: int = 0


def listed(connection: Connection, job_ids: Sequence[str]) -> list[Listed]:
    """The jobs with these ids that there are, newest first."""
    rows = connection.execute(_LISTED.where(jobs.c.id.in_(job_ids)).order_by(jobs.c.id.desc()))
    return [_of(row) for row in rows]


def missing(connection: Connection, job_ids: Sequence[str]) -> dict[str, Missing]:
    """What did not arrive of these jobs, by id; only of those where something did not."""
    # Those of the jobs are taken first, so that no database begins with all that are dead.
    some = _OF_JOBS.where(deliveries.c.job_id.in_(job_ids)).limit(LOOKED_AT).subquery()
    failing = or_(some.c.status == "dead", some.c.last_error.is_not(None) & some.c.status.in_(OPEN_DELIVERY))
    query = select(some.c.job_id, some.c.status, func.count().label("number")).where(failing)
    found: dict[str, Missing] = {}
    for row in connection.execute(query.group_by(some.c.job_id, some.c.status)):
        dead = row.number if row.status == "dead" else 0
        so_far = found.get(row.job_id, Missing())
        found[row.job_id] = Missing(so_far.dead + dead, so_far.failing + row.number - dead)
    return found


def prompt_of(given: Any) -> str:
    """The prompt in a job's input, or in the start of its text; of a conversation what is said first."""
    if isinstance(given, str):
        found = _PROMPT.search(given)
        return str(start_of(f'"{found[1]}"')).strip('"') if found else given
    if isinstance(given, list):
        return next((text for one in given if (text := prompt_of(one))), "")
    if not isinstance(given, dict):
        return ""
    said = [one for name in ("prompt", "text") if isinstance(one := given.get(name), str)]
    return said[0] if said else prompt_of([given.get(name) for name in ("messages", "content")])


def _of(row: Row[Any]) -> Listed:
    given, results = start_of(row.input), [] if row.results is None else start_of(row.results, MOST_RESULTS)
    whole = isinstance(given, dict) or len(row.input) == READ
    readable = isinstance(results, list) or len(row.results) == MOST_RESULTS
    made, ended = _time(row.created_at), _time(row.finished_at)
    images = [one for one in results if isinstance(one, dict)] if isinstance(results, list) else []
    return Listed(
        row.id,
        row.provider,
        row.model,
        row.status,
        row.task_id,
        prompt_of(given),
        made,
        ended,
        images=sum(one.get("url") is not None for one in images),
        failed=sum(one.get("error") is not None for one in images),
        artifacts=[kept for one in images if (kept := _artifact(one.get("artifact")))],
        damaged=not whole or not readable or (made, ended) != (row.created_at, row.finished_at),
    )


def _artifact(kept: Any) -> Artifact | None:
    if not isinstance(kept, dict) or not isinstance(kept.get("id"), str):
        return None
    return Artifact(kept["id"], str(kept.get("media_type")))


def _time(milliseconds: Any) -> int | None:
    try:
        rfc3339(milliseconds)
    except (Damaged, TypeError):
        return None
    return int(milliseconds)


_LISTED: Select[Any] = select(
    jobs.c.id,
    jobs.c.provider,
    jobs.c.model,
    jobs.c.status,
    jobs.c.task_id,
    jobs.c.created_at,
    jobs.c.finished_at,
    beginning(jobs.c.input, READ),
    beginning(jobs.c.results, MOST_RESULTS),
)
_OF_JOBS: Select[Any] = select(deliveries.c.job_id, deliveries.c.status, deliveries.c.last_error)
