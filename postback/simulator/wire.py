"""What both providers' endpoints need of HTTP: who is calling, and the ways to answer badly."""

from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from providers import jsontext

HANG_UP = "postback.hang_up"
"""The ASGI extension of `serve.config`: a function that closes the connection. ASGI itself has no such thing."""


class Refused(Exception):
    """An answer that is an error. Each provider writes it in its own shape."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


async def body(request: Request) -> dict[str, Any]:
    """The request's JSON object. Raises `jsontext.BadJson`."""
    return jsontext.load_object(await request.body())


def key(request: Request) -> str:
    """The bearer key of a request; empty if there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def refused_key(account: str) -> bool:
    """Whether a key is one that the simulator refuses."""
    return account.startswith("bad")


def folder(request: Request) -> str:
    """The URL of the folder that images are served from, without a trailing slash."""
    return f"{request.url.scheme}://{request.url.netloc}/images"


def proxy_page(status: int) -> Response:
    """What a proxy in front of a provider says for it: HTML, and nothing of the provider's."""
    return HTMLResponse(f"<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>", status)


class HangUp(Response):
    """Closes the connection without an answer; on a server that cannot, breaks the answer off after its headers."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        close = scope.get("extensions", {}).get(HANG_UP)
        if close is None:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
            return
        close()
        while (await receive())["type"] != "http.disconnect":
            pass
