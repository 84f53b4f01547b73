"""The rest of what a process answers, loaded while callbacks are accepted already: it takes about as long to load as
all that takes callbacks. Whoever asks for it before waits."""

import asyncio
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from postback.house import House
from receiver.problems import Problem

if TYPE_CHECKING:
    from postback.management import Management


class Deferred:
    """Stands in for `Management` until that is loaded, and then passes everything on to it."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._loading: asyncio.Task[Management] | None = None
        self._loaded: Management | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        management = self._loaded or await self.load()
        await management(scope, receive, send)

    async def load(self) -> "Management":
        """Loads it, in a thread, where nobody else did."""
        if self._loading is None:
            self._loading = asyncio.create_task(asyncio.to_thread(_load, self._house))
        self._loaded = await asyncio.shield(self._loading)
        return self._loaded

    def explain(self, request: Request, problem: Problem) -> Response:
        """The answer to a request that failed."""
        return problem.response() if self._loaded is None else self._loaded.explain(request, problem)


def _load(house: House) -> "Management":
    from postback.management import Management

    return Management(house)
