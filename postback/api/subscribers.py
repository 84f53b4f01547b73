"""The API's calls on subscribers: registering, seeing, changing and forgetting them."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ledger import subscribers
from ledger.events import DEFAULT_EVENTS, EVENTS, KINDS
from ledger.keys import SecretKeys
from ledger.lane import DEFAULT_MAX_IN_FLIGHT
from ledger.moment import Moment
from ledger.subscribers import Draft
from postback.api import requests, signatures
from postback.api.audit import actor
from postback.api.subscriber_bodies import NewSubscriber, SubscriberChanges, SubscriberFields
from postback.api.subscriber_documents import documents, shown
from postback.house import House
from receiver import signing
from receiver.guard import refuse_headers, refuse_url

_DEFAULTS: Mapping[str, Any] = {
    "events": list(DEFAULT_EVENTS),
    "metadata": {},
    "max_in_flight": DEFAULT_MAX_IN_FLIGHT,
    "payload": "full",
}
"""What null stands for, where that is not null."""

_AS_THEY_ARE = ("events", "description", "metadata", "max_in_flight", "rate_limit", "filter", "payload", "schedule")


async def create(house: House, request: Request) -> Response:
    """Registers a subscriber; the answer is one of the two places that show its secret."""
    asked = await requests.read(request, NewSubscriber, house.settings.max_body)
    row, secret = await make(house, asked, actor(request))
    document = await shown(house, row) | {"secret": secret}
    return JSONResponse(document, 201, headers={"Location": f"/v1/subscribers/{row.id}"})


async def make(house: House, asked: NewSubscriber, by: str) -> tuple[Row[Any], str]:
    """Registers a subscriber: its row, and its secret. Raises `Problem`."""
    _check(house, asked, asked.url)
    secret = signatures.new_secret() if asked.secret is None else asked.secret
    try:
        signing.parse_secret(secret)
    except ValueError as error:
        raise requests.invalid(("/secret", str(error))) from None
    draft = Draft(
        url=asked.url,
        sealed_secret=house.keys.encrypt(secret),
        **(_chosen(asked) | _sealed(house.keys, asked.headers)),
        **(signatures.new_key_pair(house.keys) if asked.signature == "v1a" else {}),
    )
    return await house.ledger.write(subscribers.create, draft, by), secret


async def find(house: House, request: Request) -> Response:
    """Lists subscribers."""
    cursor, limit = requests.page_of(request)
    page = await house.ledger.read(subscribers.find, cursor=cursor, limit=limit)
    data = await house.ledger.read(documents, page.data, house.ledger.clock())
    return JSONResponse({"data": data, "next_cursor": page.next_cursor})


async def get(house: House, request: Request) -> Response:
    """One subscriber."""
    return JSONResponse(await shown(house, await house.ledger.read(subscribers.get, request.path_params["id"])))


async def change(house: House, request: Request) -> Response:
    """Changes what the body names."""
    asked = await requests.read(request, SubscriberChanges, house.settings.max_body)
    return JSONResponse(await shown(house, await alter(house, request.path_params["id"], asked, actor(request))))


async def alter(house: House, subscriber_id: str, asked: SubscriberChanges, by: str) -> Row[Any]:
    """Changes what was asked for. Raises `Problem`, and `NotFound`."""
    _check(house, asked, asked.url)
    for name in ("url", "enabled"):
        if name in asked.model_fields_set and getattr(asked, name) is None:
            raise requests.invalid((f"/{name}", "must not be null"))
    changes = _chosen(asked) | asked.model_dump(include=asked.model_fields_set & {"url", "enabled"})
    if "headers" in asked.model_fields_set:
        changes |= _sealed(house.keys, asked.headers)
    if changes.get("enabled") is False:
        changes["disabled_reason"] = "disabled by hand"
    signature = (asked.signature or "v1") if "signature" in asked.model_fields_set else None
    return await house.ledger.write(_change, subscriber_id, changes, signature, house.keys, by=by)


async def delete(house: House, request: Request) -> Response:
    """Forgets a subscriber."""
    await house.ledger.write(subscribers.delete, request.path_params["id"], actor(request))
    return Response(status_code=204)


def _change(
    connection: Connection,
    moment: Moment,
    subscriber_id: str,
    changes: dict[str, Any],
    signature: str | None,
    keys: SecretKeys,
    *,
    by: str,
) -> Row[Any]:
    before = subscribers.hold(connection, subscriber_id)
    signed = {} if signature is None else signatures.signed(before, signature, keys)
    return subscribers.change(connection, moment, subscriber_id, changes | signed, by)


def _chosen(asked: SubscriberFields) -> dict[str, Any]:
    """The columns of what the body names."""
    given = asked.model_dump(include=asked.model_fields_set.intersection(_AS_THEY_ARE), exclude_unset=True)
    return {name: _DEFAULTS.get(name) if value is None else value for name, value in given.items()}


def _check(house: House, asked: SubscriberFields, url: str | None) -> None:
    errors: list[tuple[str, str]] = []
    if url is not None and (refusal := refuse_url(url, house.settings.allow_networks)):
        errors.append(("/url", refusal))
    errors += [
        (f"/events/{position}", f"there is no event type {event!r}; write {', '.join((*EVENTS, *KINDS))} or *")
        for position, event in enumerate(asked.events or ())
        if event not in (*EVENTS, *KINDS, "*")
    ]
    if asked.events is not None and not asked.events:
        errors.append(("/events", "name at least one event type, or leave it out"))
    refused = refuse_headers(asked.headers or {})
    errors += [(requests.pointer("headers", name), refusal) for name, refusal in refused.items()]
    if errors:
        raise requests.invalid(*errors)


def _sealed(keys: SecretKeys, headers: Mapping[str, str] | None) -> dict[str, Any]:
    if not headers:
        return {"sealed_headers": None, "header_names": []}
    return {"sealed_headers": keys.encrypt(json.dumps(dict(headers))), "header_names": sorted(headers)}
