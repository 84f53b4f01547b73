"""`/docs`: the OpenAPI as a page to read. It loads nothing, from here or elsewhere."""

from collections.abc import Awaitable, Callable
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def page(description: dict[str, Any]) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint that shows an OpenAPI document."""
    environment = Environment(loader=PackageLoader("postback.api"), autoescape=select_autoescape())
    html = environment.get_template("docs.html").render(api=description)

    async def show(request: Request) -> Response:
        return HTMLResponse(html, headers={"Content-Security-Policy": _POLICY})

    return show
