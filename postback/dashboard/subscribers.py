"""`/subscribers`: how each is doing, why what failed failed, and who changed it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row
from starlette.requests import Request
from starlette.responses import Response

from ledger import deliveries, health, subscribers
from ledger.errors import Damaged, NotFound
from ledger.health import Lately, Reason
from ledger.ids import is_id
from ledger.jsontext import compact
from ledger.overview import Count
from ledger.pages import DEFAULT_LIMIT, BadCursor
from ledger.pages import Page as Part
from ledger.salvage import Wreck
from postback.api.audit import page_of
from postback.api.subscriber_documents import documents
from postback.dashboard import deliveries as delivery_pages
from postback.dashboard import subscriber_form
from postback.dashboard.deliveries import Shown
from postback.dashboard.page import Page
from postback.dashboard.shell import draw
from postback.house import House
from receiver.advice import advise

SHOWN_CHANGES = 20
LOOKED_AT = 50
"""The newest deliveries of each subscriber that the list looks at for its last success."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A subscriber of the list; with its id only where its row is damaged."""

    id: str
    document: Mapping[str, Any] | None = None
    waiting: Count | None = None
    last_success: int | None = None


@dataclass(frozen=True, slots=True)
class Tested:
    """A test that was made: its delivery and attempt."""

    row: Row[Any]
    attempt: Shown


@dataclass(frozen=True, slots=True)
class _Seen:
    document: Mapping[str, Any]
    job_id: str | None
    waiting: Count
    lately: Lately
    reasons: Sequence[Reason]
    changes: Part[Row[Any]] | None
    tested: Tested | None


async def find(house: House, request: Request) -> Response:
    """The list, newest first."""
    cursor = request.query_params.get("cursor")
    if cursor is not None and not is_id(cursor, "sub"):
        raise BadCursor("the cursor is not from this list; leave it out to begin at the newest")
    page = await house.ledger.read(_list, cursor, house.ledger.clock())
    return draw(house, request, "subscribers.html", page=page, cursor=cursor)


async def show(house: House, request: Request) -> Response:
    """One subscriber; of one that was deleted, what was done to it."""
    subscriber_id, query = request.path_params["id"], request.query_params
    try:
        seen = await house.ledger.read(
            _look, subscriber_id, house.ledger.clock(), query.get("changes"), query.get("tested")
        )
    except NotFound:
        return await _gone(house, request, subscriber_id)
    return draw(
        house,
        request,
        "subscriber.html",
        id=subscriber_id,
        its=seen.document,
        job_id=seen.job_id,
        waiting=seen.waiting,
        lately=seen.lately,
        reasons=[(one, advise(one.error_class, one.status_code, one.error)) for one in seen.reasons],
        changes=seen.changes,
        unsent_since=None if seen.document["enabled"] else _unsent_since(seen.changes),
        tested=seen.tested,
        schedule=house.settings.retry_schedule,
        looked_at=health.LOOKED_AT,
        compact=compact,
    )


async def new(house: House, request: Request) -> Response:
    """The form of a new one."""
    return form(house, request, subscriber_form.blank())


async def edit(house: House, request: Request) -> Response:
    """The form of one that is there."""
    row = await house.ledger.read(subscribers.get, request.path_params["id"])
    document = subscribers.document(row)
    return form(house, request, subscriber_form.values_of(document), its=document)


def form(
    house: House,
    request: Request,
    values: Mapping[str, Any],
    errors: Mapping[str, str] | None = None,
    its: Mapping[str, Any] | None = None,
) -> Response:
    """The form, with what is wrong beside each field; `its` is the subscriber that is changed, None for a new one."""
    return draw(
        house,
        request,
        "subscriber_form.html",
        422 if errors else 200,
        values=values,
        errors=dict.fromkeys((*subscriber_form.FIELDS, ""), "") | dict(errors or {}),
        wrong=bool(errors),
        its=its,
        choices=subscriber_form.CHOICES,
        schedule=house.settings.retry_schedule,
    )


async def _gone(house: House, request: Request, subscriber_id: str) -> Response:
    changes = await house.ledger.read(page_of, subscriber_id, request.query_params.get("changes"), SHOWN_CHANGES)
    return draw(house, request, "subscriber_gone.html", id=subscriber_id, changes=changes, compact=compact)


def _list(connection: Connection, cursor: str | None, now: int) -> Part[Listed]:
    found = subscribers.newest(connection, DEFAULT_LIMIT + 1, cursor)
    shown = found[:DEFAULT_LIMIT]
    listed = [Listed(row.id) if isinstance(row, Wreck) else _listed(connection, row, now) for row in shown]
    return Part(listed, shown[-1].id if len(found) > len(shown) else None)


def _listed(connection: Connection, row: Row[Any], now: int) -> Listed:
    lately = health.lately(connection, row.id, LOOKED_AT)
    [document] = documents(connection, [row], now)
    return Listed(row.id, document, health.waiting(connection, row), lately.last_success)


def _look(connection: Connection, subscriber_id: str, now: int, changes: str | None, tested: str | None) -> _Seen:
    row = subscribers.get(connection, subscriber_id)
    [document] = documents(connection, [row], now)
    return _Seen(
        document,
        row.job_id,
        health.waiting(connection, row),
        health.lately(connection, subscriber_id),
        health.failures(connection, subscriber_id),
        _changes(connection, subscriber_id, changes),
        None if tested is None else _tested(connection, subscriber_id, tested),
    )


def _changes(connection: Connection, subscriber_id: str, cursor: str | None) -> Part[Row[Any]] | None:
    try:
        return page_of(connection, subscriber_id, cursor, SHOWN_CHANGES)
    except Damaged:
        return None


def _tested(connection: Connection, subscriber_id: str, delivery_id: str) -> Tested | None:
    try:
        row = deliveries.get(connection, delivery_id)
    except NotFound:
        return None
    attempts = deliveries.latest_attempts(connection, delivery_id, 1)
    if row.subscriber_id != subscriber_id or not attempts:
        return None
    return Tested(row, delivery_pages.shown(attempts[0]))


def _unsent_since(changes: Part[Row[Any]] | None) -> str | None:
    """Since when a disabled subscriber misses something, where that is known."""
    for row in changes.data if changes else ():
        if "unsent_since" in row.changes:
            since: str = row.changes["unsent_since"]["to"]
            return since
    return None


ROUTES: tuple[Page, ...] = (
    Page("GET", "/subscribers", find),
    Page("GET", "/subscribers/new", new, "admin"),
    Page("GET", "/subscribers/{id}", show),
    Page("GET", "/subscribers/{id}/edit", edit, "admin"),
)
