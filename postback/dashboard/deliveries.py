"""`/deliveries`: what was sent to whom, each attempt with its request and answer, and sending one again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row
from starlette.requests import Request
from starlette.responses import Response

from ledger import deliveries, lanes, notifications, subscribers
from ledger.deliveries import Filter
from ledger.errors import Damaged, NotFound
from ledger.lane import Lane
from ledger.lifecycle import DELIVERY
from ledger.pages import Page as Part
from ledger.salvage import Wreck
from postback.api import requests
from postback.api.deliveries import again
from postback.dashboard import forms, phases, reading
from postback.dashboard.choices import chosen
from postback.dashboard.holding import hold
from postback.dashboard.page import Page
from postback.dashboard.shell import draw, see_other
from postback.house import House
from receiver.advice import advise

SHOWN_ATTEMPTS = 50
"""The latest attempts that a page shows."""

MAX_FORM = 4_096

_TRIGGERS = {"schedule": "by schedule", "manual": "by hand", "recover": "by a recovery"}


@dataclass(frozen=True, slots=True)
class Shown:
    """An attempt; with nothing else where its row is damaged."""

    id: str
    row: Row[Any] | None = None
    result: str = ""
    good: bool = False
    trigger: str = ""
    hint: str | None = None
    bar: phases.Bar | None = None


@dataclass(frozen=True, slots=True)
class _Seen:
    row: Row[Any]
    attempts: Sequence[Row[Any] | Wreck]
    notification: Row[Any] | None
    subscriber: Row[Any] | None
    lane: Lane | None


async def find(house: House, request: Request) -> Response:
    """The list, newest first."""
    cursor, limit = requests.page_of(request)
    status, error = chosen(request, "status", DELIVERY)
    wanted = Filter(
        status=status,
        subscriber_id=requests.text(request, "subscriber_id") or None,
        job_id=requests.text(request, "job_id") or None,
        notification_id=requests.text(request, "notification_id") or None,
    )
    page, known, queues = _NOTHING if error else await house.ledger.read(_list, wanted, cursor, limit)
    now = house.ledger.clock()
    return draw(
        house,
        request,
        "deliveries.html",
        422 if error else 200,
        page=page,
        known=known,
        holds={row.id: hold(row, queues.get(row.lane), now) for row in page.data},
        cursor=cursor,
        wanted=wanted,
        error=error,
        statuses=tuple(DELIVERY),
    )


async def show(house: House, request: Request) -> Response:
    """One delivery with its attempts."""
    seen = await house.ledger.read(_look, request.path_params["id"])
    row = seen.row
    return draw(
        house,
        request,
        "delivery.html",
        row=row,
        state=DELIVERY.get(row.status),
        subscriber=seen.subscriber,
        notification=seen.notification,
        body=None if seen.notification is None else reading.shown(seen.notification.body),
        attempts=[shown(one) for one in seen.attempts],
        earlier=max(0, row.attempt_count - len(seen.attempts)),
        held=row.status == "delivering",
        hold=hold(row, seen.lane, house.ledger.clock()),
    )


async def redeliver(house: House, request: Request) -> Response:
    """Sends one again: a finished one anew, one that waits now instead of later."""
    delivery_id = request.path_params["id"]
    fields = await forms.read(request, MAX_FORM)
    await again(house, delivery_id, at_once=fields.get("at_once") == "1")
    return see_other(f"/deliveries/{delivery_id}", "It is due now, and is being sent.")


_Listed = tuple[Part[Row[Any]], dict[str, Row[Any]], dict[str, Lane]]
_NOTHING: _Listed = Part([], None), {}, {}


def shown(attempt: Row[Any] | Wreck) -> Shown:
    """An attempt as a page needs it."""
    if isinstance(attempt, Wreck):
        return Shown(attempt.id)
    good = attempt.error_class is None
    return Shown(
        attempt.id,
        attempt,
        f"HTTP {attempt.status_code}" if attempt.status_code is not None else str(attempt.error_class),
        good,
        _TRIGGERS.get(attempt.trigger, attempt.trigger),
        advise(attempt.error_class, attempt.status_code, attempt.error),
        phases.bar(attempt.timing if isinstance(attempt.timing, Mapping) else None),
    )


def _list(connection: Connection, wanted: Filter, cursor: str | None, limit: int) -> _Listed:
    page = deliveries.find(connection, wanted, cursor=cursor, limit=limit)
    ids = {row.subscriber_id for row in page.data} | ({wanted.subscriber_id} if wanted.subscriber_id else set())
    queues = lanes.get(connection, {row.lane for row in page.data if row.status == "pending"})
    return page, subscribers.named(connection, ids), queues


def _look(connection: Connection, delivery_id: str) -> _Seen:
    row = deliveries.get(connection, delivery_id)
    return _Seen(
        row,
        deliveries.latest_attempts(connection, delivery_id, SHOWN_ATTEMPTS),
        _notification(connection, row.notification_id),
        subscribers.named(connection, [row.subscriber_id]).get(row.subscriber_id),
        lanes.get(connection, [row.lane]).get(row.lane),
    )


def _notification(connection: Connection, notification_id: str) -> Row[Any] | None:
    try:
        return notifications.get(connection, notification_id)
    except (Damaged, NotFound):
        return None


ROUTES: tuple[Page, ...] = (
    Page("GET", "/deliveries", find),
    Page("GET", "/deliveries/{id}", show),
    Page("POST", "/deliveries/{id}/redeliver", redeliver, "admin"),
)
