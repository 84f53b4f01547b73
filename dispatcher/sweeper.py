"""Reads a provider's list page by page while more jobs are out than could be asked about one by one."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

import structlog

from dispatcher.client import ProviderClient
from dispatcher.turn import take_turn
from ledger import sweeps
from ledger.clock import DAY, MINUTE, SECOND
from ledger.ledger import Ledger
from providers.protocol import Refusal

log = structlog.get_logger()

WORTH_IT = 10
"""A list is read when asking every job once would take longer than this many seconds."""

SHARE = 0.15
"""The part of the query rate that goes into reading lists; the rest asks about what has finished."""

MARGIN = 5 * MINUTE
"""How much older than our oldest job the list is read from: clocks differ."""

PAUSE = 60 * SECOND
"""After a list that could not be read, jobs are asked about one by one for so long."""

REACH = DAY - MINUTE
"""The longest window that is asked for: a provider refuses more than a day."""

EVERY = 5 * SECOND
"""A short list is read from its start no more often than this."""

_IDLE = 5 * SECOND


@dataclass
class _Sweep:
    """Where the reading of one provider's list stands."""

    since: int
    until: int
    next_at: int
    page: int = 1


class Sweeper:
    """One loop over the providers that have a list. `swept` tells the poller whose list is being read."""

    def __init__(
        self,
        ledger: Ledger,
        clients: Mapping[str, ProviderClient],
        *,
        rates: Mapping[str, float],
        on_found: Callable[[], None] = lambda: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._ledger = ledger
        self._clients = {name: client for name, client in clients.items() if client.provider.lists is not None}
        self._rates = rates
        self._on_found = on_found
        self._sleep = sleep
        self._sweeps: dict[str, _Sweep] = {}
        self._paused_until: dict[str, int] = {}
        self._left_over = set(self._clients)

    def swept(self) -> frozenset[str]:
        """The providers whose list is being read."""
        return frozenset(self._sweeps)

    async def run_once(self, now: int) -> int | None:
        """Reads at most one page of each list, and returns when it wants to be called again."""
        dues = [await self._advance(name, now) for name in self._clients]
        return min(dues, default=None)

    async def _advance(self, name: str, now: int) -> int:
        rate = self._rates[name]
        if now < self._paused_until.get(name, 0):
            return self._paused_until[name]
        watched = await self._ledger.read(sweeps.watched, name)
        if watched.oldest is None or watched.count <= WORTH_IT * rate:
            await self._stop(name)
            return now + _IDLE
        sweep = self._sweeps.setdefault(name, _sweep(watched.oldest, now))
        if now < sweep.next_at:
            return sweep.next_at
        sweep.next_at = now + int(SECOND / (rate * SHARE))
        turn = partial(take_turn, self._ledger, name, rate, self._sleep)
        listing = await self._clients[name].list_jobs(sweep.since, sweep.until, sweep.page, turn)
        if isinstance(listing, Refusal):
            log.warning("list_unread", provider=name, code=listing.code)
            await self._stop(name)
            self._paused_until[name] = self._ledger.clock() + PAUSE
            return self._paused_until[name]
        if await self._ledger.write(sweeps.listed, name, listing.tasks):
            self._on_found()
        sweep.page += 1
        if sweep.page > listing.pages:
            next_at = max(sweep.next_at, sweep.until + EVERY)
            self._sweeps[name] = sweep = _sweep(watched.oldest, next_at)
        return sweep.next_at

    async def _stop(self, name: str) -> None:
        """Leaves the jobs that waited for the list, also those of a process before this one, to the poller."""
        if self._sweeps.pop(name, None) is not None or name in self._left_over:
            self._left_over.discard(name)
            await self._ledger.write(sweeps.release, name)
            self._on_found()


def _sweep(oldest: int, begins_at: int) -> _Sweep:
    return _Sweep(max(oldest - MARGIN, begins_at - REACH), begins_at, begins_at)
