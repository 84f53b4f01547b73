"""`GET /v1/stream`: what happens, as server-sent events (HTML Living Standard, "Server-sent events")."""

import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from sqlalchemy import Row
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ledger import notifications, stream
from ledger.errors import Unavailable
from ledger.events import EVENTS, KINDS
from ledger.stream import BadPlace, Cursor
from postback.auth import Caller, Callers
from postback.house import House
from postback.news import AWAY, News
from receiver.problems import Problem

MEDIA = "text/event-stream"
HEARTBEAT = 15.0
"""Seconds of silence after which a comment shows whatever lies between that the connection is alive."""

RETRY = 1_000
"""Milliseconds after which a browser connects again."""

_NEVER = 2**63
_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


async def follow(house: House, request: Request) -> Response:
    """Sends what happens from now on, or behind an event that the client names, until the client leaves."""
    events = _events(request)
    name, place = _place(request)
    try:
        # Whatever is wrong shows before the stream begins: afterwards there is no other answer.
        cursor = Cursor.read(place) if place else await house.ledger.read(stream.now)
        if place:
            await house.news.read(cursor, events)
    except BadPlace as error:
        raise _bad(name, str(error)) from None
    if request.method == "HEAD":
        return Response(headers=_HEADERS, media_type=MEDIA)
    text = while_good(house.callers, request.state.caller, told(house.news, cursor, events))
    return StreamingResponse(text, headers=_HEADERS, media_type=MEDIA)


async def while_good(callers: Callers, caller: Caller, text: AsyncIterator[str]) -> AsyncIterator[str]:
    """The text of a stream for as long as the key that asked for it is not revoked."""
    async for part in text:
        if not await callers.still_good(caller):
            return
        yield part


async def told(
    news: News, cursor: Cursor, events: tuple[str, ...], clock: Callable[[], float] = time.monotonic
) -> AsyncIterator[str]:
    """The text of the stream behind a cursor; ends when `news` is closed. `clock` counts seconds.

    It begins with an id without an event: a client that is cut off before the first one knows where to go on.
    """
    yield f"retry: {RETRY}\n{_id(cursor)}\n"
    spoke = clock()
    while not news.closed:
        try:
            page = await news.read(cursor, events)
        except Unavailable:
            await news.wait(_NEVER, AWAY)
        else:
            for row in page.rows:
                yield _event(row)
                spoke = clock()
            cursor = page.cursor
            if not page.more:
                await news.wait(cursor.serial, max(0.0, spoke + HEARTBEAT - clock()))
        if clock() - spoke >= HEARTBEAT:
            yield f": still here\n{_id(cursor)}\n"
            spoke = clock()


def _event(row: Row[Any]) -> str:
    # Nothing but ASCII: not every reader of lines breaks them only where the standard does.
    document = json.dumps(notifications.document(row), separators=(",", ":"))
    return f"{_id(stream.place_of(row))}event: {row.type}\ndata: {document}\n\n"


def _id(cursor: Cursor) -> str:
    return f"id: {cursor}\n"


def _events(request: Request) -> tuple[str, ...]:
    given = request.query_params.getlist("events")
    if not given:
        return ("*",)
    events = tuple(sorted({event.strip() for text in given for event in text.split(",")}))
    for event in events:
        if event not in (*EVENTS, *KINDS, "*"):
            raise _bad("events", f"there is no event type {event!r}; write {', '.join((*EVENTS, *KINDS))} or *")
    return events


def _place(request: Request) -> tuple[str, str | None]:
    """Where to go on, and who says so. A browser that connects again sends the header, and the old address with it."""
    header = request.headers.get("last-event-id")
    return ("Last-Event-ID", header) if header else ("after", request.query_params.get("after"))


def _bad(name: str, why: str) -> Problem:
    return Problem("invalid", f"{name}: {why}.", errors=[{"parameter": name, "detail": why}])
