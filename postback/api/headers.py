"""Bounds a request's headers: the server itself takes any number of any size, and callbacks keep theirs."""

from collections.abc import Sequence
from itertools import chain

from starlette.types import ASGIApp, Receive, Scope, Send

from receiver.problems import Problem

MAX_BYTES = 64 * 1024
MAX_COUNT = 200


class BoundedHeaders:
    """Middleware that answers 431 where a request has too many headers, or too much of them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and too_large(scope["headers"]):
            detail = f"Send at most {MAX_COUNT} headers, together at most {MAX_BYTES} bytes."
            answer = Problem("headers-too-large", detail, headers={"Connection": "close"}).response()
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)


def too_large(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Whether there are too many, or too much of them."""
    return len(headers) > MAX_COUNT or sum(map(len, chain.from_iterable(headers))) > MAX_BYTES
