"""Looks at what is waiting for whoever asks for metrics, and how late the event loop comes."""

import asyncio
from collections.abc import Callable

import structlog

from ledger.backlog import Backlog, measure
from ledger.clock import SECOND
from ledger.errors import Unavailable
from ledger.ledger import Ledger

log = structlog.get_logger()

FRESH = 5 * SECOND
"""How long a look is good: nobody can make us count more often by asking."""

PATIENCE_SECONDS = 3.0
"""How long a look may take: the counters must be had from a process whose database hangs, too."""

BEAT_SECONDS = 0.5
"""How often the event loop is asked to come."""


class Watch:
    """Looks at most once at a time, however many ask."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._seen: Backlog | None = None
        self._good_until = 0
        self._look: asyncio.Task[None] | None = None

    async def look(self) -> Backlog | None:
        """What is waiting; None while the database cannot be read."""
        if self._ledger.clock() < self._good_until:
            return self._seen
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(self._try())
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.shield(self._look)
        except TimeoutError:
            return None
        return self._seen

    async def _try(self) -> None:
        try:
            self._seen = await self._ledger.read(measure)
        except Unavailable as error:
            log.warning("database_unavailable", loop="metrics", reason=str(error))
            self._seen = None
            return
        self._good_until = self._ledger.clock() + FRESH


class Beat:
    """Tells `lagged` how many seconds later than asked the event loop came, again and again until it is ended."""

    def __init__(self, lagged: Callable[[float], None]) -> None:
        self._lagged = lagged
        self._loop = asyncio.get_running_loop()
        self._next = self._loop.call_later(BEAT_SECONDS, self._come)

    def end(self) -> None:
        """Asks no more."""
        self._next.cancel()

    def _come(self) -> None:
        self._lagged(max(0.0, self._loop.time() - self._next.when()))
        self._next = self._loop.call_later(BEAT_SECONDS, self._come)
