"""The API's calls on subscribers."""

import asyncio
import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ledger import deliveries, subscribers
from ledger.clock import SECOND
from ledger.outbox import DEFAULT_EVENTS, EVENTS
from ledger.subscribers import DEFAULT_MAX_IN_FLIGHT, Draft
from postback import durations
from postback.api import requests
from postback.api.bodies import NewSubscriber, Rotation, SubscriberChanges, Window
from postback.api.deliveries import with_attempts
from postback.house import House
from receiver import signing
from receiver.guard import refuse_headers, refuse_url

GRACE = "24h"
TEST_POLL_SECONDS = 0.05
LONGEST_TEST = 25 * SECOND
"""Below what clients commonly wait for an answer."""


async def create(house: House, request: Request) -> Response:
    """Registers a subscriber; the answer is one of the two places that show its secret."""
    asked = await requests.read(request, NewSubscriber, house.settings.max_body)
    _check(house, asked.url, asked.events, asked.headers)
    secret = signing.new_secret(secrets.token_bytes) if asked.secret is None else asked.secret
    try:
        signing.parse_secret(secret)
    except ValueError as error:
        raise requests.invalid(("/secret", str(error))) from None
    draft = Draft(
        url=asked.url,
        sealed_secret=house.keys.encrypt(secret),
        events=asked.events or DEFAULT_EVENTS,
        description=asked.description,
        metadata=asked.metadata or {},
        max_in_flight=asked.max_in_flight or DEFAULT_MAX_IN_FLIGHT,
        rate_limit=asked.rate_limit,
        **_sealed(house, asked.headers),
    )
    row = await house.ledger.write(subscribers.create, draft)
    document = subscribers.document(row) | {"secret": secret}
    return JSONResponse(document, 201, headers={"Location": f"/v1/subscribers/{row.id}"})


async def find(house: House, request: Request) -> Response:
    """Lists subscribers."""
    cursor, limit = requests.page_of(request)
    page = await house.ledger.read(subscribers.find, cursor=cursor, limit=limit)
    return JSONResponse({"data": [subscribers.document(row) for row in page.data], "next_cursor": page.next_cursor})


async def get(house: House, request: Request) -> Response:
    """One subscriber."""
    return JSONResponse(subscribers.document(await house.ledger.read(subscribers.get, request.path_params["id"])))


async def change(house: House, request: Request) -> Response:
    """Changes what the body names."""
    asked = await requests.read(request, SubscriberChanges, house.settings.max_body)
    _check(house, asked.url, asked.events, asked.headers)
    given = asked.model_dump(include=asked.model_fields_set, exclude={"headers"})
    defaults = {"events": list(DEFAULT_EVENTS), "metadata": {}, "max_in_flight": DEFAULT_MAX_IN_FLIGHT}
    for name in ("url", "enabled"):
        if name in given and given[name] is None:
            raise requests.invalid((f"/{name}", "must not be null"))
    changes = {name: defaults.get(name) if value is None else value for name, value in given.items()}
    if "headers" in asked.model_fields_set:
        changes |= _sealed(house, asked.headers)
    if changes.get("enabled") is False:
        changes["disabled_reason"] = "disabled by hand"
    row = await house.ledger.write(subscribers.change, request.path_params["id"], changes)
    return JSONResponse(subscribers.document(row))


async def delete(house: House, request: Request) -> Response:
    """Forgets a subscriber."""
    await house.ledger.write(subscribers.delete, request.path_params["id"])
    return Response(status_code=204)


async def secret(house: House, request: Request) -> Response:
    """The secret that signs now."""
    row = await house.ledger.read(subscribers.get, request.path_params["id"])
    return JSONResponse({"secret": house.keys.decrypt(row.sealed_secret)}, headers={"Cache-Control": "no-store"})


async def rotate(house: House, request: Request) -> Response:
    """A new secret; the old one signs beside it for a while."""
    asked = await requests.read(request, Rotation, house.settings.max_body)
    try:
        grace = durations.parse(GRACE if asked.grace is None else asked.grace)
    except ValueError as error:
        raise requests.invalid(("/grace", str(error))) from None
    fresh = signing.new_secret(secrets.token_bytes)
    row = await house.ledger.write(subscribers.rotate, request.path_params["id"], house.keys.encrypt(fresh), grace)
    return JSONResponse(subscribers.document(row) | {"secret": fresh})


async def test(house: House, request: Request) -> Response:
    """Sends a `postback.ping` and waits for its first attempt: 200 with it, or 202 where none came in time."""
    delivery_id = await house.ledger.write(subscribers.ping, request.path_params["id"])
    house.wake("forwarder")
    deadline = house.ledger.clock() + min(house.settings.delivery_timeout + 2 * SECOND, LONGEST_TEST)
    document: dict[str, Any] = {}
    while house.ledger.clock() < deadline:
        document = await house.ledger.read(with_attempts, delivery_id)
        if document["attempt_count"]:
            return JSONResponse(document)
        await asyncio.sleep(TEST_POLL_SECONDS)
    return JSONResponse(document, 202)


async def recover(house: House, request: Request) -> Response:
    """Sends the deliveries of a window of time again."""
    asked = await requests.read(request, Window, house.settings.max_body)
    since = requests.milliseconds(asked.since, lambda why: requests.invalid(("/since", why)))
    until = None
    if asked.until is not None:
        until = requests.milliseconds(asked.until, lambda why: requests.invalid(("/until", why)))
    count = await house.ledger.write(
        deliveries.recover, request.path_params["id"], since=since, until=until, statuses=asked.statuses
    )
    house.wake("forwarder")
    return JSONResponse({"recovered": count}, 202)


def _check(house: House, url: str | None, events: Sequence[str] | None, headers: Mapping[str, str] | None) -> None:
    errors: list[tuple[str, str]] = []
    if url is not None and (refusal := refuse_url(url, house.settings.allow_networks)):
        errors.append(("/url", refusal))
    errors += [
        (f"/events/{position}", f"there is no event type {event!r}; write {', '.join(EVENTS)}, job.* or *")
        for position, event in enumerate(events or ())
        if event not in (*EVENTS, "*", "job.*")
    ]
    if events is not None and not events:
        errors.append(("/events", "name at least one event type, or leave it out"))
    errors += [(requests.pointer("headers", name), refusal) for name, refusal in refuse_headers(headers or {}).items()]
    if errors:
        raise requests.invalid(*errors)


def _sealed(house: House, headers: Mapping[str, str] | None) -> dict[str, Any]:
    if not headers:
        return {"sealed_headers": None, "header_names": []}
    return {"sealed_headers": house.keys.encrypt(json.dumps(dict(headers))), "header_names": sorted(headers)}
