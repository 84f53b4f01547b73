"""Requests that are answered without the application: those that come most often, and those that are refused.

What Starlette, and a task and an ASGI cycle for each request, are worth to all others costs as much as everything else
that is done for a callback. Whoever takes requests takes only those in which nothing is unusual, and leaves all others
to the application.
"""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import NamedTuple, Protocol

from starlette.responses import Response

Headers = Sequence[tuple[bytes, bytes]]
"""Names in lower case, and values, as received."""


class Prepared(NamedTuple):
    """An answer as bytes: its status line, and all else. The server puts its own headers between them."""

    status: bytes
    rest: bytes


Answer = Callable[[Prepared], None]
"""Sends the answer, now or later. Where nobody waits for it any more it does nothing."""


class Direct(Protocol):
    """A request that was taken."""

    def receive(self, part: bytes) -> None:
        """A part of its body has come."""

    def end(self, answer: Answer) -> None:
        """Its body has come: answers, sooner or later, exactly once."""


Take = Callable[[bytes, bytes, Headers], Direct | None]
"""Takes a request by its method, target and headers, or leaves it to the application."""


def leave_all(method: bytes, target: bytes, headers: Headers) -> Direct | None:
    """Takes none."""
    return None


def prepared(response: Response) -> Prepared:
    """A response that can be sent any number of times."""
    headers = b"".join(b"%s: %s\r\n" % header for header in response.raw_headers)
    return Prepared(_status_line(response.status_code), b"%s\r\n%s" % (headers, bytes(response.body)))


def _status_line(status: int) -> bytes:
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode("ascii")
