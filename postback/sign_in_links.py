"""One-time links that sign a browser in to the dashboard: made for whoever asks the API, or starts a server."""

import secrets
from dataclasses import dataclass

from ledger import sign_in_links
from ledger.api_keys import Scope, digest
from postback.auth import OPERATOR, Caller
from postback.house import House

PATH = "/sign-in/"


@dataclass(frozen=True, slots=True)
class Link:
    """A link that was made; `path` holds its secret. `expires_at` is in UTC milliseconds."""

    path: str
    expires_at: int


async def make(house: House, caller: Caller = OPERATOR, scope: Scope = "admin") -> Link:
    """A fresh link. The session it begins ends with the caller's key."""
    token = secrets.token_urlsafe(32)
    if caller.key_id is not None:
        token += f".{caller.key_id}"
    expires_at = await house.ledger.write(sign_in_links.create, digest(token), scope)
    return Link(PATH + token, expires_at)


def key_of(token: str) -> str | None:
    """The named key that a link stands on; None where it is the configured one. To be believed of a good link only."""
    return token.partition(".")[2] or None
