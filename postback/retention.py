"""Prunes what is older than POSTBACK_RETENTION, a batch at a time, and leaves the database to others in between."""

from collections.abc import Callable

import structlog

from ledger import retention
from ledger.clock import DAY, MINUTE
from ledger.ledger import Ledger

log = structlog.get_logger()

EVERY = {kind: DAY if kind == "lanes" else MINUTE for kind in retention.KINDS}
"""How often each kind is looked through. Most hosts are needed again soon, and forgetting one costs its next job."""

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
        self._due = dict.fromkeys(retention.KINDS, 0)
        self._pause_until = 0
        self._after = dict.fromkeys(retention.KINDS, "")
        self._counts: dict[str, int] = {}

    async def run_once(self, now: int) -> int:
        """Prunes one batch, and returns when it wants to be called again."""
        kind = next((kind for kind, due in self._due.items() if due <= now), None)
        if kind is None or now < self._pause_until:
            return max(self._pause_until, min(self._due.values()))
        pruned = await self._ledger.write(retention.KINDS[kind], now - self._keep, self._after[kind])
        if pruned.count:
            self._counts[kind] = self._counts.get(kind, 0) + pruned.count
            self._on_erased()
        self._after[kind] = pruned.last or ""
        if pruned.last is None:
            self._due[kind] = now + EVERY[kind]
        done = self._ledger.clock()
        self._pause_until = done + max(PAUSE, SHARE * (done - now))
        if self._counts and min(self._due.values()) > now:
            log.info("pruned", **self._counts)
            self._counts = {}
        return max(self._pause_until, min(self._due.values()))
