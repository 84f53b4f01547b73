"""The API's calls on API keys: making, seeing and revoking them."""

from typing import Any

from sqlalchemy import Row
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ledger import api_keys
from postback.api import requests
from postback.api.key_models import NewKey
from postback.house import House


async def create(house: House, request: Request) -> Response:
    """Makes a key; the answer is the only place that ever shows it."""
    asked = await requests.read(request, NewKey, house.settings.max_body)
    row, key = await make(house, asked)
    return JSONResponse(api_keys.document(row) | {"key": key}, 201, headers={"Cache-Control": "no-store"})


async def find(house: House, request: Request) -> Response:
    """Lists keys, also those that were revoked."""
    cursor, limit = requests.page_of(request)
    page = await house.ledger.read(api_keys.find, cursor=cursor, limit=limit)
    return JSONResponse({"data": [api_keys.document(row) for row in page.data], "next_cursor": page.next_cursor})


async def revoke(house: House, request: Request) -> Response:
    """Ends a key, and every session that stands on it."""
    await end(house, request.path_params["id"])
    return Response(status_code=204)


async def make(house: House, asked: NewKey) -> tuple[Row[Any], str]:
    """A new key, and its text, which nobody can show again."""
    key = api_keys.new_key()
    return await house.ledger.write(api_keys.create, asked.name, asked.scope, api_keys.digest(key)), key


async def end(house: House, key_id: str) -> None:
    """Revokes a key; from now on this process knows it no more. Raises `NotFound`."""
    await house.ledger.write(api_keys.revoke, key_id)
    house.callers.forget(key_id)
