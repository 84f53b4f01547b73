"""`/deliveries/recover`: what subscribers did not get in a window of time is sent again, once a person saw how much."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Connection, Row
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from ledger import recovery, subscribers
from ledger.errors import LedgerError
from ledger.overview import NONE, Count
from ledger.recovery import RECOVERABLE, Window
from ledger.salvage import Wreck
from postback.dashboard import forms, recovery_form, recovery_runs
from postback.dashboard.page import Page
from postback.dashboard.recovery_form import MAX_SUBSCRIBERS, STATUSES, Asked
from postback.dashboard.recovery_runs import Plan, Share
from postback.dashboard.shell import draw, see_other
from postback.house import House

MAX_FORM = 32_768
PATH = "/deliveries/recover"

_NO_ERRORS = dict.fromkeys(("subscriber_id", "status", "since", "until", "rate"), "")
_FIRST = QueryParams([("status", status) for status in RECOVERABLE] + [("since", "24h")])


@dataclass(frozen=True, slots=True)
class Counted:
    """What a subscriber would get, and about how long that takes in milliseconds; or why it gets nothing."""

    subscriber_id: str
    count: Count = NONE
    takes: float = 0.0
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a subscriber's deliveries of the window are now, by state; `share` where this process recovers them."""

    subscriber_id: str
    states: dict[str, int]
    more: bool
    share: Share | None


async def ask(house: House, request: Request) -> Response:
    """The form; filled in, how much there is, to be confirmed."""
    given, now = request.query_params, house.ledger.clock()
    filled_in = "count" in given
    asked = recovery_form.read(given if filled_in else QueryParams([*_first(given), *given.multi_items()]), now)
    return await _form(house, request, asked, filled_in=filled_in)


async def start(house: House, request: Request) -> Response:
    """Begins what was confirmed."""
    asked = recovery_form.read(await forms.read(request, MAX_FORM), house.ledger.clock())
    if asked.plan is None:
        return await _form(house, request, asked, 422, filled_in=True)
    run_id = recovery_runs.begin(house, asked.plan)
    return see_other(f"{PATH}/progress?{urlencode([*recovery_form.query(asked.plan), ('run', run_id)])}")


async def watch(house: House, request: Request) -> Response:
    """How far a recovery is, and what became of what it sent."""
    given = request.query_params
    asked = recovery_form.read(given, house.ledger.clock())
    if asked.plan is None:
        return await _form(house, request, asked, 422, filled_in=True)
    run = recovery_runs.get(given.get("run", ""))
    shares = {} if run is None else {share.subscriber_id: share for share in run.shares}
    standings, known = await house.ledger.read(_stand, asked.plan, shares)
    return draw(
        house,
        request,
        "recovering.html",
        plan=asked.plan,
        run=run,
        standings=standings,
        known=known,
        again=f"{PATH}?{urlencode([*recovery_form.query(asked.plan), ('count', '1')])}",
    )


async def _form(house: House, request: Request, asked: Asked, status: int = 200, *, filled_in: bool) -> Response:
    listed, known = await house.ledger.read(_choices, asked.subscriber_ids)
    if asked.plan is None:
        status = 422 if filled_in else status
    counted = []
    if filled_in and asked.plan is not None:
        counted = await house.ledger.read(_count, asked.plan, house.ledger.clock())
    return draw(
        house,
        request,
        "recover.html",
        status,
        asked=asked,
        errors=_NO_ERRORS | dict(asked.errors if filled_in else {}),
        listed=listed,
        known=known,
        most=MAX_SUBSCRIBERS,
        statuses=STATUSES,
        counted=counted,
        fields=recovery_form.query(asked.plan) if counted and asked.plan is not None else [],
        total=Count(sum(one.count.number for one in counted), any(one.count.more for one in counted)),
    )


def _first(given: QueryParams) -> Sequence[tuple[str, str]]:
    """What stands in the form before anything is filled in, where the address does not say it."""
    return [(name, value) for name, value in _FIRST.multi_items() if name not in given]


def _choices(connection: Connection, chosen: Sequence[str]) -> tuple[Sequence[Row[Any] | Wreck], dict[str, Row[Any]]]:
    listed = subscribers.newest(connection, MAX_SUBSCRIBERS)
    return listed, subscribers.named(connection, chosen[:MAX_SUBSCRIBERS])


def _count(connection: Connection, plan: Plan, now: int) -> list[Counted]:
    return [_counted(connection, plan, subscriber_id, now) for subscriber_id in plan.subscriber_ids]


def _counted(connection: Connection, plan: Plan, subscriber_id: str, now: int) -> Counted:
    try:
        count = recovery.count_some(connection, subscriber_id, plan.window, plan.statuses)
        pace = recovery.pace_of(subscribers.get(connection, subscriber_id), now, plan.rate)
    except LedgerError as error:
        return Counted(subscriber_id, refusal=str(error))
    return Counted(subscriber_id, count, count.number * pace.interval)


def _stand(connection: Connection, plan: Plan, shares: dict[str, Share]) -> tuple[list[Standing], dict[str, Row[Any]]]:
    window: Window = plan.window
    standings = [
        Standing(one, *recovery.standing(connection, one, window), shares.get(one)) for one in plan.subscriber_ids
    ]
    return standings, subscribers.named(connection, plan.subscriber_ids)


ROUTES: tuple[Page, ...] = (
    Page("GET", PATH, ask, "admin"),
    Page("POST", PATH, start, "admin"),
    Page("GET", f"{PATH}/progress", watch, "admin"),
)
