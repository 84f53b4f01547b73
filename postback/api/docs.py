"""`/openapi.json`, and `/docs`: the same as a page to read. It loads nothing, from here or elsewhere."""

from functools import cache

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from postback.api import openapi

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

# Both are drawn when somebody first looks, and in a thread, as neither endpoint is a coroutine: most servers are never
# asked, and to draw them takes longer than the rest of a start.


def describe(_: Request) -> Response:
    """The endpoint that gives the OpenAPI document."""
    return JSONResponse(_description())


def show(_: Request) -> Response:
    """The endpoint that shows the OpenAPI document."""
    return HTMLResponse(_page(), headers={"Content-Security-Policy": _POLICY})


_description = cache(openapi.describe)


@cache
def _page() -> str:
    from jinja2 import Environment, PackageLoader, select_autoescape

    environment = Environment(loader=PackageLoader("postback.api"), autoescape=select_autoescape())
    return environment.get_template("docs.html").render(api=_description())
