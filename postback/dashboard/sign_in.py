"""Signing in to the dashboard and out of it: with an API key, or with a link that is good once."""

from starlette.requests import Request
from starlette.responses import Response

from ledger import sign_in_links
from ledger.api_keys import digest
from ledger.clock import SECOND
from postback.dashboard import forms, session
from postback.dashboard.cookies import Claim
from postback.dashboard.page import Page
from postback.dashboard.shell import draw, see_other
from postback.house import House
from postback.sign_in_links import key_of

MAX_FORM = 8_192
"""Bytes; a key and a path are far shorter."""

_WRONG_KEY = "This API key is not known here, or it was revoked."
_USED_UP = (
    "This link was used already, or it has expired. Make a new one with: postback sign-in. Or sign in with an API key."
)


async def show(house: House, request: Request) -> Response:
    """The form that takes an API key; who is signed in goes on to where they wanted."""
    back = _ours(request.query_params.get("next", "/"))
    if request.state.session is not None:
        return see_other(back)
    return _form(house, request, back)


async def with_key(house: House, request: Request) -> Response:
    """Signs in with an API key. After a few wrong ones in a minute, none is looked at for a while."""
    fields = await forms.read(request, MAX_FORM)
    back = _ours(str(fields.get("next", "/")))
    if wait := house.guesses.wait():
        seconds = -(-wait // SECOND)
        says = f"Too many wrong keys. Wait {seconds} s, or use a link: postback sign-in"
        response = _form(house, request, back, says, 429)
        response.headers["Retry-After"] = str(seconds)
        return response
    caller = await house.callers.of_key(str(fields.get("key", "")).strip())
    if caller is None:
        house.guesses.failed()
        return _form(house, request, back, _WRONG_KEY, 403)
    return _begin(house, request, Claim(caller.key_id, caller.scope), back)


async def show_link(house: House, request: Request) -> Response:
    """A page with one button. To look at a link must not use it up: mail programs and chats do, to show a preview."""
    return draw(house, request, "sign_in_link.html")


async def with_link(house: House, request: Request) -> Response:
    """Signs in with a link, and uses it up."""
    token = request.path_params["token"]
    scope = await house.ledger.write(sign_in_links.use, digest(token))
    if scope is None:
        return _form(house, request, "/", _USED_UP, 403)
    return _begin(house, request, Claim(key_of(token), scope), "/")


async def sign_out(house: House, request: Request) -> Response:
    """Forgets in this browser who is signed in."""
    response = see_other("/sign-in", "You are signed out.")
    session.end(house, request, response)
    return response


def _form(house: House, request: Request, back: str, error: str | None = None, status: int = 200) -> Response:
    return draw(house, request, "sign_in.html", status, back=back, error=error)


def _begin(house: House, request: Request, claim: Claim, back: str) -> Response:
    response = see_other(back)
    session.begin(house, request, response, claim)
    return response


def _ours(path: str) -> str:
    """A path to go on to, if it is one of this dashboard: browsers read `//host` and `/\\host` as another site."""
    good = path.startswith("/") and path[1:2] not in ("/", "\\") and path.isascii() and path.isprintable()
    return path if good else "/"


ROUTES: tuple[Page, ...] = (
    Page("GET", "/sign-in", show, open=True),
    Page("POST", "/sign-in", with_key, open=True),
    Page("GET", "/sign-in/{token}", show_link, open=True),
    Page("POST", "/sign-in/{token}", with_link, open=True),
    Page("POST", "/sign-out", sign_out, open=True),
)
