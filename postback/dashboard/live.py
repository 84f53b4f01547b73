"""`GET /live`: tells pages that something happened, as server-sent events. What it was, they ask for themselves."""

import time
from collections.abc import AsyncIterator, Callable

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ledger import pulse
from ledger.errors import Unavailable
from ledger.pulse import Pulse
from postback.api.stream import HEARTBEAT, MEDIA
from postback.dashboard.page import Page
from postback.house import House

PAUSE = 1.0
"""Seconds between two looks, and so between two events."""

RETRY = 2_000
"""Milliseconds after which a browser connects again."""

_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
_NEVER = 2**63


async def follow(house: House, request: Request) -> Response:
    """Sends `changed` events until the client leaves."""
    if request.method == "HEAD":
        return Response(headers=_HEADERS, media_type=MEDIA)
    return StreamingResponse(told(house), headers=_HEADERS, media_type=MEDIA)


async def told(house: House, clock: Callable[[], float] = time.monotonic) -> AsyncIterator[str]:
    """The text of the stream; ends when the house sends everybody home. `clock` counts seconds."""
    yield f"retry: {RETRY}\n\n"
    seen: Pulse | None = None
    spoke = clock()
    while not house.news.closed:
        try:
            newest = await house.ledger.read(pulse.read)
        except Unavailable:
            newest = seen or ()
        if newest != seen:
            # The first one is for what happened between the page and this connection.
            yield "event: changed\ndata: \n\n"
            seen, spoke = newest, clock()
        elif clock() - spoke >= HEARTBEAT:
            yield ": still here\n\n"
            spoke = clock()
        await house.news.wait(_NEVER, PAUSE)


ROUTES: tuple[Page, ...] = (Page("GET", "/live", follow),)
