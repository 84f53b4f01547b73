"""One-time links that sign a browser in to the dashboard: made by the API, and by whoever starts a server."""

import secrets
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ledger import sign_in_links
from ledger.api_keys import Scope, digest
from ledger.clock import rfc3339
from postback.api import requests
from postback.api.key_models import NewSignInLink
from postback.auth import OPERATOR, Caller
from postback.house import House

PATH = "/sign-in/"


@dataclass(frozen=True, slots=True)
class Link:
    """A link that was made; `path` holds its secret. `expires_at` is in UTC milliseconds."""

    path: str
    expires_at: int


async def create(house: House, request: Request) -> Response:
    """Makes a link for whoever asks, or for somebody who may do less."""
    asked = await requests.read(request, NewSignInLink, house.settings.max_body)
    caller: Caller = request.state.caller
    scope = asked.scope or caller.scope
    caller.require(scope)
    link = await make(house, caller, scope)
    document = {"path": link.path, "scope": scope, "expires_at": rfc3339(link.expires_at)}
    return JSONResponse(document, 201, headers={"Cache-Control": "no-store"})


async def make(house: House, caller: Caller = OPERATOR, scope: Scope = "admin") -> Link:
    """A fresh link. The session it begins ends with the caller's key."""
    token = secrets.token_urlsafe(32)
    if caller.key_id is not None:
        token += f".{caller.key_id}"
    expires_at = await house.ledger.write(sign_in_links.create, digest(token), scope)
    return Link(PATH + token, expires_at)


def key_of(token: str) -> str | None:
    """The named key that a link stands on; None where it is the configured one. To be believed of a good link only."""
    return token.partition(".")[2] or None
