"""Whether a request that changes something comes from a page of ours, and not from another site that a person has open.

A browser says where a request comes from in `Sec-Fetch-Site`, on connections it trusts, and in `Origin`, on all. The
pages must not have the referrer policy `no-referrer`: with it the `Origin` of their forms is `null` (Fetch, "append a
request Origin header"), and over plain HTTP nothing would be left to tell them from others.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.requests import Request

REFERRER_POLICY = "same-origin"
SAFE = frozenset({"GET", "HEAD"})


def is_ours(request: Request, public_url: str) -> bool:
    """Whether the request only looks, or comes from a page at the address it is sent to or at the public URL."""
    return request.method in SAFE or comes_from_us(request.headers, public_url)


def comes_from_us(headers: Mapping[str, str], public_url: str) -> bool:
    """Decides by the headers, whose names are in lower case. What says nothing of its origin is not ours."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")  # "none": typed in or sent again by the person
    origin = urlsplit(headers.get("origin", ""))
    # Without the scheme: who ends TLS before us is not known. A proxy may also have replaced the host.
    ours = {headers.get("host", "").lower(), urlsplit(public_url).netloc.rpartition("@")[2].lower()}
    return origin.scheme in ("http", "https") and origin.netloc.lower() in ours
