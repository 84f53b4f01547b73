"""Who changed a subscriber: the name that changes are written down under, and the list of them."""

from typing import Any

from sqlalchemy import Connection, Row
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ledger import audit, subscribers
from ledger.pages import BadCursor, Page
from postback.api import requests
from postback.auth import Caller
from postback.house import House

_MAX_DIGITS = 18


def actor(request: Request) -> str:
    """Who asks: the key, and where the request came from, which tells apart those who share one."""
    caller: Caller = request.state.caller
    key = "api key" if caller.key_id is None else f"api key {caller.name} ({caller.key_id})"
    return key if request.client is None else f"{key} from {request.client.host}"


async def find(house: House, request: Request) -> Response:
    """Lists the changes of a subscriber, also of one that was deleted."""
    cursor, limit = requests.page_of(request)
    page = await house.ledger.read(page_of, request.path_params["id"], cursor, limit)
    return JSONResponse({"data": [audit.document(row) for row in page.data], "next_cursor": page.next_cursor})


def page_of(connection: Connection, subscriber_id: str, cursor: str | None, limit: int) -> Page[Row[Any]]:
    """One page, newest first; its cursor is the number of the last change. Raises `NotFound` and `BadCursor`."""
    if cursor is not None and not (cursor.isascii() and cursor.isdigit() and len(cursor) <= _MAX_DIGITS):
        raise BadCursor("the cursor is not from this list; leave it out to begin at the newest")
    found = audit.find(connection, subscriber_id, limit + 1, None if cursor is None else int(cursor))
    if not found:
        known = audit.find(connection, subscriber_id, 1)
        if not known:
            subscribers.get(connection, subscriber_id)
    return Page(found[:limit], str(found[limit - 1].id) if len(found) > limit else None)
