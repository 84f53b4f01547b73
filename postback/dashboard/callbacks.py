"""`/inbox`: callbacks as they were received, what was made of each, and what a repeated one repeats."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row
from starlette.requests import Request
from starlette.responses import Response

from ledger import callbacks, jobs
from ledger.callbacks import VERDICTS, Filter
from ledger.errors import Damaged, NotFound
from ledger.job import Job
from ledger.pages import Page as Part
from ledger.verdict import KEPT_COPIES
from postback.api import requests
from postback.dashboard import reading
from postback.dashboard.choices import chosen
from postback.dashboard.page import Page
from postback.dashboard.shell import draw
from postback.house import House
from providers import PROVIDERS
from receiver.callback import why_invalid

SIBLINGS = 50
"""Other callbacks of the same job that a page names."""

REPEATS = ("duplicate", "conflicting")

MEANS = {
    "accepted": "Its outcome was taken: it finished the job.",
    "progress": "It told of a job on its way.",
    "duplicate": "The job was finished, and this one says the same again. It changed nothing.",
    "conflicting": "The job was finished, and this one says something else. The first outcome stands.",
    "invalid": "It could not be taken. It was answered with an error and changed nothing.",
}
"""What each verdict says."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """A callback, its job if that can be read, the one whose outcome was taken, and the job's other ones."""

    row: Row[Any]
    job: Job | None
    accepted: Row[Any] | None
    others: Sequence[Row[Any]]


async def find(house: House, request: Request) -> Response:
    """The inbox, newest first."""
    cursor, limit = requests.page_of(request)
    verdict, error = chosen(request, "verdict", VERDICTS)
    wanted = Filter(
        job_id=requests.text(request, "job_id") or None,
        task_id=requests.text(request, "task_id") or None,
        verdict=verdict,
    )
    page, accepted = _NOTHING if error else await house.ledger.read(_list, wanted, cursor, limit)
    return draw(
        house,
        request,
        "callbacks.html",
        422 if error else 200,
        page=page,
        accepted=accepted,
        cursor=cursor,
        wanted=wanted,
        error=error,
        verdicts=VERDICTS,
    )


async def show(house: House, request: Request) -> Response:
    """One callback, beside the one that it repeats or contradicts."""
    seen = await house.ledger.read(_look, request.path_params["id"])
    row, accepted = seen.row, seen.accepted
    compared = accepted is not None and row.verdict in REPEATS
    return draw(
        house,
        request,
        "callback.html",
        row=row,
        job=seen.job,
        means=MEANS.get(row.verdict, ""),
        why=_why(row) if row.verdict == "invalid" else None,
        count=0 if seen.job is None else seen.job.callback_counts.get(row.verdict, 0),
        kept=KEPT_COPIES,
        body=reading.shown(row.body),
        accepted=accepted,
        accepted_body=None if accepted is None else reading.shown(accepted.body),
        compared=compared,
        lines=reading.difference(accepted.body, row.body) if accepted is not None and compared else None,
        others=seen.others,
    )


_Listed = tuple[Part[Row[Any]], dict[str, str]]
_NOTHING: _Listed = Part([], None), {}


def _list(connection: Connection, wanted: Filter, cursor: str | None, limit: int) -> _Listed:
    page = callbacks.find(connection, wanted, cursor=cursor, limit=limit)
    repeated = {row.job_id for row in page.data if row.verdict in REPEATS}
    return page, callbacks.accepted_of(connection, repeated)


def _look(connection: Connection, callback_id: str) -> _Seen:
    row = callbacks.get(connection, callback_id)
    first = callbacks.accepted_of(connection, [row.job_id]).get(row.job_id)
    accepted = _readable(connection, first) if first not in (None, row.id) else None
    others = callbacks.find(connection, Filter(job_id=row.job_id), cursor=None, limit=SIBLINGS).data
    return _Seen(row, _job(connection, row.job_id), accepted, [one for one in others if one.id != row.id])


def _readable(connection: Connection, callback_id: str | None) -> Row[Any] | None:
    try:
        return None if callback_id is None else callbacks.get(connection, callback_id)
    except (Damaged, NotFound):
        return None


def _job(connection: Connection, job_id: str) -> Job | None:
    try:
        return jobs.get(connection, job_id)
    except (Damaged, NotFound):
        return None


def _why(row: Row[Any]) -> str | None:
    provider = PROVIDERS.get(row.provider)
    return None if provider is None else why_invalid(provider, row.body)


ROUTES: tuple[Page, ...] = (Page("GET", "/inbox", find), Page("GET", "/inbox/{id}", show))
