"""What all pages share: how they are drawn from templates, the headers they come with, and how a form ends."""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from postback import __version__
from postback.dashboard import markup, static_files, words
from postback.dashboard.origin import REFERRER_POLICY
from postback.house import House

if TYPE_CHECKING:
    from jinja2 import Environment

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": REFERRER_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""With every answer of the dashboard."""

NAV = (
    ("/", "Overview", "read"),
    ("/jobs", "Jobs", "read"),
    ("/inbox", "Callbacks", "read"),
    ("/deliveries", "Deliveries", "read"),
    ("/subscribers", "Subscribers", "read"),
    ("/new-job", "New job", "submit"),
)
"""Path, name and scope of what the header leads to."""

_SAID = "postback_said"
_SAID_SECONDS = 30
_MAX_SAID = 300


def draw(house: House, request: Request, template: str, status: int = 200, **context: Any) -> Response:
    """A page from a template, as whoever asks may see it. What the template gets besides: `_common`."""
    said = unquote(request.cookies.get(_SAID, ""))[:_MAX_SAID]
    html = _templates().get_template(template).render(_common(house, request), said=said, **context)
    response = HTMLResponse(html, status, headers={"Cache-Control": "no-store"})
    if said:
        response.delete_cookie(_SAID, path="/", httponly=True, samesite="strict")
    return response


def see_other(path: str, says: str | None = None) -> Response:
    """How a form ends: the browser goes to a page of ours, which says that sentence once."""
    response = RedirectResponse(path, 303)
    if says:
        text = quote(says[:_MAX_SAID])
        response.set_cookie(_SAID, text, max_age=_SAID_SECONDS, path="/", httponly=True, samesite="strict")
    return response


def secure(response: Response) -> Response:
    """The response with the headers that all of the dashboard's have."""
    response.headers.update(HEADERS)
    return response


def path_of(request: Request) -> str:
    """The path that was asked for."""
    path: str = request.scope["path"]
    return path


def address(request: Request) -> str:
    """The path and query that were asked for."""
    query = request.scope["query_string"].decode("latin-1")  # it need not be UTF-8
    return path_of(request) + (f"?{query}" if query else "")


def _common(house: House, request: Request) -> dict[str, Any]:
    session = getattr(request.state, "session", None)
    return {
        "now": house.ledger.clock(),
        "session": session,
        "may": (lambda scope: False) if session is None else session.may,
        "nav": [(path, name, _current(request, path)) for path, name, scope in NAV if session and session.may(scope)],
        "here": address(request),
        "url_with": _url_with(request),
    }


def _current(request: Request, path: str) -> bool:
    asked = path_of(request)
    return asked == path or (path != "/" and asked.startswith(f"{path}/"))


def _url_with(request: Request) -> Callable[..., str]:
    """This page with other parameters: `url_with(status="dead", cursor=None)`; None and "" leave one out."""

    def url_with(**changes: object) -> str:
        query = {**request.query_params, **changes}
        kept = {name: str(value) for name, value in query.items() if value not in (None, "")}
        return path_of(request) + (f"?{urlencode(kept)}" if kept else "")

    return url_with


@cache
def _templates() -> "Environment":
    # Loaded when somebody first looks, as for /docs: most processes never draw a page.
    from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context

    environment = Environment(
        loader=PackageLoader("postback.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {
        "number": words.number,
        "duration": words.duration,
        "size": words.size,
        "tone": words.tone,
    }
    environment.globals |= {
        "static": static_files.path_of,
        "time": pass_context(markup.time),
        "countdown": pass_context(markup.countdown),
        "percent": words.percent,
        "version": __version__,
    }
    return environment
