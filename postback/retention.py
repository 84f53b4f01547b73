"""Prunes what is older than POSTBACK_RETENTION, a batch at a time, and leaves the database to others in between."""

from collections.abc import Callable

import structlog

from ledger import retention
from ledger.clock import MINUTE
from ledger.ledger import Ledger

log = structlog.get_logger()

EVERY = 1 * MINUTE
PAUSE = 50
"""Milliseconds between two batches, at least."""

SHARE = 4
"""A pause is at least this many times as long as the batch before it took: four fifths of the time are the others'."""


class Retention:
    """One loop. `keep` is how many milliseconds what has ended is kept; `on_erased` hears that files can be deleted."""

    def __init__(self, ledger: Ledger, keep: int, *, on_erased: Callable[[], None]) -> None:
        self._ledger = ledger
        self._keep = keep
        self._on_erased = on_erased
        self._due = 0
        self._kinds = list(retention.KINDS)
        self._after = ""
        self._counts: dict[str, int] = {}

    async def run_once(self, now: int) -> int:
        """Prunes one batch, and returns when it wants to be called again."""
        if now < self._due:
            return self._due
        kind = self._kinds[0]
        pruned = await self._ledger.write(retention.KINDS[kind], now - self._keep, self._after)
        if pruned.count:
            self._counts[kind] = self._counts.get(kind, 0) + pruned.count
            self._on_erased()
        self._after = pruned.last or ""
        if pruned.last is None:
            self._kinds.pop(0)
        done = self._ledger.clock()
        self._due = done + max(PAUSE, SHARE * (done - now))
        if not self._kinds:
            self._rest(done)
        return self._due

    def _rest(self, now: int) -> None:
        if self._counts:
            log.info("pruned", **self._counts)
        self._counts.clear()
        self._kinds = list(retention.KINDS)
        self._due = now + EVERY
