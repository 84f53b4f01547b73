"""The API's calls on deliveries and notifications."""

from typing import Any

from sqlalchemy import Connection, Row
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ledger import deliveries, notifications
from ledger.events import EVENTS
from ledger.lifecycle import DELIVERY
from postback.api import requests
from postback.api.bodies import Redelivery
from postback.house import House


async def find(house: House, request: Request) -> Response:
    """Lists deliveries."""
    cursor, limit = requests.page_of(request)
    wanted = deliveries.Filter(
        status=requests.choice(request, "status", DELIVERY),
        subscriber_id=requests.text(request, "subscriber_id"),
        job_id=requests.text(request, "job_id"),
        notification_id=requests.text(request, "notification_id"),
    )
    page = await house.ledger.read(deliveries.find, wanted, cursor=cursor, limit=limit)
    return JSONResponse({"data": [deliveries.document(row) for row in page.data], "next_cursor": page.next_cursor})


async def get(house: House, request: Request) -> Response:
    """One delivery with its attempts."""
    return JSONResponse(await house.ledger.read(with_attempts, request.path_params["id"]))


async def redeliver(house: House, request: Request) -> Response:
    """Sends a finished delivery again, or one that is still owed now."""
    asked = await requests.read(request, Redelivery, house.settings.max_body)
    row = await again(house, request.path_params["id"], at_once=asked.at_once is True)
    return JSONResponse(deliveries.document(row), 202)


async def again(house: House, delivery_id: str, *, at_once: bool = False) -> Row[Any]:
    """Makes a delivery due again. Raises `NotFound` and `Refused`."""
    row = await house.ledger.write(deliveries.redeliver, delivery_id, at_once=at_once)
    house.wake("forwarder")
    return row


async def find_notifications(house: House, request: Request) -> Response:
    """Lists notifications."""
    cursor, limit = requests.page_of(request)
    wanted = notifications.Filter(
        job_id=requests.text(request, "job_id"), type=requests.choice(request, "type", EVENTS)
    )
    page = await house.ledger.read(notifications.find, wanted, cursor=cursor, limit=limit)
    return JSONResponse({"data": [notifications.document(row) for row in page.data], "next_cursor": page.next_cursor})


async def get_notification(house: House, request: Request) -> Response:
    """One notification."""
    row = await house.ledger.read(notifications.get, request.path_params["id"])
    return JSONResponse(notifications.document(row))


def with_attempts(connection: Connection, delivery_id: str) -> dict[str, Any]:
    """A delivery on the wire, with its attempts. Raises `NotFound`."""
    document = deliveries.document(deliveries.get(connection, delivery_id))
    tried = deliveries.attempts_of(connection, delivery_id)
    return document | {"attempts": [deliveries.attempt_document(attempt) for attempt in tried]}
