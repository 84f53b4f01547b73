"""The API's calls on what signs: showing a secret, rotating it, and sealing all of them under a newer key."""

from typing import Any

from sqlalchemy import Connection, Row
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ledger import resealing, subscribers
from ledger.clock import DAY
from ledger.keys import SecretKeys
from ledger.moment import Moment
from postback import durations
from postback.api import requests
from postback.api.audit import actor
from postback.api.signatures import new_key_pair, new_secret
from postback.api.subscriber_bodies import Rotation
from postback.api.subscriber_documents import shown
from postback.house import House

GRACE = "24h"
LONGEST_GRACE = 30 * DAY


async def secret(house: House, request: Request) -> Response:
    """The secret that signs now."""
    row = await house.ledger.read(subscribers.get, request.path_params["id"])
    return JSONResponse({"secret": house.keys.decrypt(row.sealed_secret)}, headers={"Cache-Control": "no-store"})


async def rotate(house: House, request: Request) -> Response:
    """New secrets; the old ones sign beside them for a while."""
    asked = await requests.read(request, Rotation, house.settings.max_body)
    row, fresh = await renew(house, request.path_params["id"], asked, actor(request))
    return JSONResponse(await shown(house, row) | {"secret": fresh})


async def renew(house: House, subscriber_id: str, asked: Rotation, by: str) -> tuple[Row[Any], str]:
    """Makes new secrets: the subscriber's row, and the new secret. Raises `Problem`, and `NotFound`."""
    try:
        grace = durations.parse(GRACE if asked.grace is None else asked.grace)
    except ValueError as error:
        raise requests.invalid(("/grace", str(error))) from None
    if grace > LONGEST_GRACE:
        raise requests.invalid(("/grace", "at most 30d"))
    fresh = new_secret()
    return await house.ledger.write(_rotate, subscriber_id, house.keys, fresh, grace, by), fresh


async def rekey(house: House, request: Request) -> Response:
    """Seals everything again under the newest of the secret keys."""
    resealed = unreadable = 0
    after: str | None = None
    while True:
        part = await house.ledger.write(resealing.reseal, house.keys, after)
        resealed, unreadable, after = resealed + part.resealed, unreadable + part.unreadable, part.after
        if after is None:
            return JSONResponse({"resealed": resealed, "unreadable": unreadable})


def _rotate(
    connection: Connection,
    moment: Moment,
    subscriber_id: str,
    keys: SecretKeys,
    secret: str,
    grace: int,
    by: str,
) -> Row[Any]:
    before = subscribers.hold(connection, subscriber_id)
    pair = {} if before.sealed_private_key is None else new_key_pair(keys)
    fresh = {"sealed_secret": keys.encrypt(secret)} | pair
    return subscribers.rotate(connection, moment, subscriber_id, fresh, grace, by)
