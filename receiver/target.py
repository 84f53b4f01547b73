"""Where a URL leads, and how a request to it is written (RFC 9112)."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from yarl import URL

from receiver.answers import EgressError
from receiver.connections import Origin
from receiver.guard import IPNetwork, refuse_header, refuse_url, sendable

_PATH = re.compile(r"[^:]+://[^/?]*(.*)")
_DEFAULTS = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "Postback"}


class Target(NamedTuple):
    """What a URL says. `shown` is its scheme, host and port, which may be told; `path` may hold a secret."""

    origin: Origin
    shown: str
    path: str
    host: str

    def request(self, method: str, headers: Mapping[str, str], body: bytes | None = None) -> bytes:
        """The bytes of a whole request. Raises `EgressError`, which quotes none of it."""
        if not sendable(headers):
            for name, value in headers.items():
                if refusal := refuse_header(name, value):
                    raise EgressError("guard", f"a header cannot be sent: {refusal}")
        fields = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        length = "" if body is None else f"Content-Length: {len(body)}\r\n"
        head = f"{method} {self.path} HTTP/1.1\r\nHost: {self.host}\r\n{_usual(tuple(headers))}{fields}{length}\r\n"
        return head.encode("ascii") + (body or b"")


@lru_cache(maxsize=1_024)
def _usual(names: tuple[str, ...]) -> str:
    """The fields that a request has besides those with these names."""
    given = {name.lower() for name in names}
    return "".join([f"{name}: {value}\r\n" for name, value in _DEFAULTS.items() if name.lower() not in given])


def target(url: str, allowed: Sequence[IPNetwork]) -> Target:
    """Reads a URL that a user gave. Raises `EgressError`."""
    if refusal := refuse_url(url, allowed):
        raise EgressError("guard", refusal)
    try:
        # A URL that needs no encoding is sent exactly as it was given.
        read = URL(url, encoded=url.isascii())
        shown = str(read.origin())
    except ValueError:
        raise EgressError("guard", "the URL's host is not a host name") from None
    origin = Origin(read.scheme == "https", read.raw_host or "", read.port or 0)
    # yarl leaves out the question mark of an empty query.
    path = _PATH.fullmatch(url if url.isascii() else str(read))
    return Target(origin, shown, "/" + (path[1] if path else "").removeprefix("/"), read.host_port_subcomponent or "")
