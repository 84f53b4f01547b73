"""Who looks at the dashboard: somebody whose browser holds our cookie, for as long as the key behind it lives."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from ledger.api_keys import SCOPES
from ledger.clock import SECOND
from postback.auth import OPERATOR, Caller
from postback.dashboard import cookies
from postback.dashboard.cookies import Claim
from postback.house import House


@dataclass(frozen=True, slots=True)
class Session(Caller):
    """A caller who signed in with a browser. `scope` is never more than that of their key."""


async def session_of(house: House, request: Request) -> Session | None:
    """The session that a request belongs to; None where nobody is signed in, or their key was revoked.

    From then on what the request changes is written down under that caller.
    """
    claim = house.cookies.read(request.cookies.get(cookies.NAME, ""))
    if claim is None:
        return None
    caller = OPERATOR if claim.key_id is None else await house.callers.of_id(claim.key_id)
    if caller is None:
        return None
    session = Session(min(claim.scope, caller.scope, key=SCOPES.index), caller.name, caller.key_id)
    request.state.caller = session
    return session


def begin(house: House, request: Request, response: Response, claim: Claim) -> None:
    """Signs the browser in that gets this response."""
    response.set_cookie(
        cookies.NAME,
        house.cookies.write(claim),
        max_age=cookies.LIFETIME // SECOND,
        path="/",
        secure=_is_https(house, request),
        httponly=True,
        samesite="lax",
    )


def end(house: House, request: Request, response: Response) -> None:
    """Signs the browser out that gets this response."""
    response.delete_cookie(cookies.NAME, path="/", secure=_is_https(house, request), httponly=True, samesite="lax")


def _is_https(house: House, request: Request) -> bool:
    """Whether the browser speaks TLS: to us, or to the proxy at the public URL.

    Somebody may also come in at another address without TLS, where a browser would drop a cookie that wants it.
    """
    public = urlsplit(house.settings.public_url)
    at_public = request.headers.get("host", "").lower() == public.netloc.rpartition("@")[2].lower()
    return request.scope["scheme"] == "https" or (public.scheme == "https" and at_public)
