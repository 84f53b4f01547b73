"""One page of the dashboard, or one thing that a form does, as data."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from starlette.requests import Request
from starlette.responses import Response

from ledger.api_keys import Scope
from postback.house import House

Handler = Callable[[House, Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Page:
    """A method and a path, and who may ask for it: a session of that scope or more, or with `open` anybody.

    The handler finds the session in `request.state.session`, None only on an open page. What is sent to a POST comes
    from a page of ours: that is checked before. It answers with `shell.see_other`.
    """

    method: Literal["GET", "POST"]
    path: str
    handler: Handler
    scope: Scope = "read"
    open: bool = False
