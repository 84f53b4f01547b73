"""One-time links that sign a browser in to the dashboard: made by the API, and by whoever starts a server."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ledger.clock import rfc3339
from postback.api import requests
from postback.api.key_models import NewSignInLink
from postback.auth import Caller
from postback.house import House
from postback.sign_in_links import make


async def create(house: House, request: Request) -> Response:
    """Makes a link for whoever asks, or for somebody who may do less."""
    asked = await requests.read(request, NewSignInLink, house.settings.max_body)
    caller: Caller = request.state.caller
    scope = asked.scope or caller.scope
    caller.require(scope)
    link = await make(house, caller, scope)
    document = {"path": link.path, "scope": scope, "expires_at": rfc3339(link.expires_at)}
    return JSONResponse(document, 201, headers={"Cache-Control": "no-store"})
