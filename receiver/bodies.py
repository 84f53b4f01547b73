"""Reading a request's body: bounded, of the right kind, and never decompressed."""

from collections.abc import Mapping

from starlette.requests import Request

from receiver.problems import Problem

MAX_DIGITS = 18
"""Digits of a Content-Length that are read as a number; more are too large for any limit."""


def check_kind(headers: Mapping[str, str]) -> None:
    """Raises `Problem` for a body that is encoded, or says that it is something else than JSON."""
    if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise Problem("unsupported-media-type", "Send the body without Content-Encoding.")
    kind = headers.get("content-type", "").split(";")[0].strip().lower()
    if kind and kind not in ("application/json", "text/json") and not kind.endswith("+json"):
        raise Problem("unsupported-media-type", "Send the body as application/json.")


def fits(headers: Mapping[str, str], limit: int) -> bool:
    """Whether the headers say how long the body is, and that it has at most `limit` bytes."""
    declared = headers.get("content-length", "")
    return declared.isdecimal() and len(declared) <= MAX_DIGITS and int(declared) <= limit


async def read(request: Request, limit: int) -> bytes:
    """The body, at most `limit` bytes of it. Raises `Problem`."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and (len(declared) > MAX_DIGITS or int(declared) > limit):
        raise _too_large(limit)
    body = bytearray()
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise Problem("bad-request", "The connection ended before the body did.")
        body += message.get("body", b"")
        if len(body) > limit:
            raise _too_large(limit)
        if not message.get("more_body", False):
            return bytes(body)


def _too_large(limit: int) -> Problem:
    return Problem("too-large", f"The body may have at most {limit} bytes.", headers={"Connection": "close"})
