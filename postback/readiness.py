"""Whether this process can do its work: its database is migrated and can be written."""

import asyncio

from ledger.clock import SECOND
from ledger.errors import Unavailable
from ledger.facts import touch
from ledger.ledger import Ledger

FRESH = 1 * SECOND
"""How long a good answer is good: nobody can make us write more often by asking."""

PATIENCE_SECONDS = 3.0
"""How long a look may take: whoever asks must hear of a write that hangs, too."""


class Readiness:
    """Looks at most once at a time, however many ask: what hangs must not use up the connections."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._good_until = 0
        self._look: asyncio.Task[None] | None = None

    async def check(self) -> None:
        """Returns where the process is ready. Raises `Unavailable`; what was told to it once may mend by itself."""
        if self._ledger.clock() < self._good_until:
            return
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(self._try())
            self._look.add_done_callback(_heard)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.shield(self._look)
        except TimeoutError:
            raise Unavailable(f"a write did not come to an end within {PATIENCE_SECONDS:.0f} s") from None

    async def _try(self) -> None:
        found, needed = await self._ledger.database.version()
        # A newer one is what an upgrade leaves those with that have not been replaced yet; it only adds.
        if found is None or found < needed:
            raise Unavailable(f"it has schema {found or 'none'}, {needed} is needed: run postback migrate")
        await self._ledger.write(touch)
        self._good_until = self._ledger.clock() + FRESH


def _heard(look: asyncio.Task[None]) -> None:
    """Nobody may wait for it any more."""
    if not look.cancelled():
        look.exception()
