"""API keys, as pages: who has one, when it was last used, a new one, and the end of one."""

from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from ledger import api_keys
from ledger.api_keys import SCOPES
from ledger.pages import DEFAULT_LIMIT
from postback.api import keys
from postback.api.key_models import NewKey
from postback.dashboard import forms
from postback.dashboard.page import Page
from postback.dashboard.shell import draw, see_other
from postback.house import House

MAX_FORM = 8_192
_NOTHING = {"name": "", "scope": ""}
_SAYS = {
    "name": "Give it a name of at most 100 characters, on one line.",
    "scope": f"Choose {', '.join(SCOPES[:-1])} or {SCOPES[-1]}.",
}


async def find(house: House, request: Request) -> Response:
    """The list, with a form for a new key."""
    return await _page(house, request)


async def create(house: House, request: Request) -> Response:
    """Makes a key and shows it, here and never again. So it is no redirect: nothing but this answer may hold it."""
    fields = await forms.read(request, MAX_FORM)
    given = {name: str(fields.get(name, "")).strip() for name in ("name", "scope")}
    try:
        asked = NewKey.model_validate(given)
    except ValidationError as error:
        wrong = {str(one["loc"][0]) for one in error.errors()}
        errors = _NOTHING | {name: _SAYS[name] for name in wrong}
        return await _page(house, request, 422, given=given, errors=errors)
    row, key = await keys.make(house, asked)
    return await _page(house, request, 201, made=row, key=key)


async def revoke(house: House, request: Request) -> Response:
    """Ends a key."""
    key_id = request.path_params["id"]
    await keys.end(house, key_id)
    return see_other("/keys", f"{key_id} is revoked.")


async def _page(house: House, request: Request, status: int = 200, **shown: Any) -> Response:
    cursor = request.query_params.get("cursor")
    page = await house.ledger.read(api_keys.find, cursor=cursor, limit=DEFAULT_LIMIT)
    blank: dict[str, Any] = {"given": _NOTHING, "errors": _NOTHING, "made": None, "key": None}
    return draw(house, request, "keys.html", status, page=page, cursor=cursor, scopes=SCOPES, **(blank | shown))


ROUTES: tuple[Page, ...] = (
    Page("GET", "/keys", find, "admin"),
    Page("POST", "/keys", create, "admin"),
    Page("POST", "/keys/{id}/revoke", revoke, "admin"),
)
