"""Warns in the log of what slowly stops a database: a transaction that nobody ends, and a WAL that only grows."""

import structlog

from ledger import horizon
from ledger.clock import MINUTE, SECOND
from ledger.ledger import Ledger

log = structlog.get_logger()

EVERY = 1 * MINUTE
OLD = 5 * MINUTE
"""The age of a transaction that is worth a warning: ours take milliseconds."""

LARGE = 64 * 1024 * 1024
"""The size, in bytes, of a WAL that somebody must be keeping from being used again: SQLite does so at 4 MB."""


class Alarm:
    """One loop. It repeats its warnings for as long as there is a reason."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._due = 0
        self._wal_size = 0

    async def run_once(self, now: int) -> int:
        """Looks, and returns when it wants to be called again."""
        if now < self._due:
            return self._due
        self._due = now + EVERY
        transaction = await self._ledger.read(horizon.oldest)
        if transaction is not None and transaction.age >= OLD:
            log.warning(
                "old_snapshot",
                pid=transaction.pid,
                age_seconds=transaction.age // SECOND,
                remedy=f"if nobody needs it: SELECT pg_terminate_backend({transaction.pid})",
            )
        before, self._wal_size = self._wal_size, await self._ledger.read(horizon.wal_size)
        # One that was large once stays so; it grows only as long as it cannot be used again.
        if self._wal_size >= LARGE and self._wal_size > before:
            log.warning("wal_large", bytes=self._wal_size, remedy="end the program that reads the database file")
        return self._due
