"""Looks for unconfirmed jobs in their provider's list, so that a lost answer need not stay a riddle."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

import structlog

from dispatcher.client import ProviderClient
from dispatcher.turn import take_turn
from ledger import reconciling
from ledger.job import Job
from ledger.ledger import Ledger
from ledger.sweeps import Listed
from providers.protocol import Refusal

log = structlog.get_logger()

MAX_PAGES = 20
"""Pages that one look reads at most: an account with more in half a minute cannot be told apart anyway."""


class Reconciler:
    """One loop over the unconfirmed jobs of providers that have a list.

    `rates` are queries a second; `deadline` is how long after its submission an adopted job is lost.
    """

    def __init__(
        self,
        ledger: Ledger,
        clients: Mapping[str, ProviderClient],
        *,
        rates: Mapping[str, float],
        deadline: int,
        on_adopted: Callable[[], None] = lambda: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._ledger = ledger
        self._clients = {name: client for name, client in clients.items() if client.provider.lists is not None}
        self._rates = rates
        self._deadline = deadline
        self._on_adopted = on_adopted
        self._sleep = sleep

    async def run_once(self, now: int) -> int | None:
        """Looks for each job whose time has come, and returns when it wants to be called again."""
        jobs, next_due = await self._ledger.write(reconciling.claim, self._clients.keys())
        for job in jobs:
            rows = await self._list(job)
            if await self._ledger.write(reconciling.adopt, job.id, rows, self._deadline):
                log.info("adopted", job_id=job.id, provider=job.provider)
                self._on_adopted()
        return next_due

    async def _list(self, job: Job) -> Sequence[Listed]:
        """The account's jobs in this one's window; none where the list could not be read whole."""
        client = self._clients[job.provider]
        since, until = reconciling.window(job)
        turn = partial(take_turn, self._ledger, job.provider, self._rates[job.provider], self._sleep)
        rows: list[Listed] = []
        page = pages = 1
        while page <= pages:
            listing = await client.list_jobs(since, until, page, turn)
            if isinstance(listing, Refusal) or listing.pages > MAX_PAGES:
                log.warning("list_unread", provider=job.provider, job_id=job.id)
                return []
            rows += listing.tasks
            page, pages = page + 1, listing.pages
        return rows
