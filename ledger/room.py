"""How much work a loop has under way, and when the end of a piece is worth asking the database for more."""

import asyncio
from collections.abc import Awaitable, Callable

from ledger.clock import SECOND

PATIENCE = SECOND // 100
"""How long, in milliseconds, the first to end waits for others to make room with it."""


class Room:
    """Room for `size` pieces of work at once.

    To claim one costs the database what it costs to claim many. So while more waits than there is room for, more is
    claimed when half of what was under way has ended, or `PATIENCE` after the first has.
    """

    def __init__(self, size: int, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._size = size
        self._sleep = sleep
        self.busy = 0
        """How many have begun and not ended."""
        self._enough = 0
        self._ended = 0
        self._looks = 0
        self._waited_for = False

    def look(self) -> int:
        """How many more there is room for; with this a pass of the loop begins."""
        self._looks += 1
        self._ended, self._enough, self._waited_for = 0, _half(self.busy), False
        return max(0, self._size - self.busy)

    def take(self, count: int) -> None:
        """So many more have begun."""
        self.busy += count
        self._enough = _half(self.busy)

    async def leave(self, *, wanted: bool) -> bool:
        """One has ended. Whether the loop is to be called again for the room that it leaves, if that is `wanted`."""
        self.busy -= 1
        self._ended += 1
        if not wanted:
            return False
        if self._ended >= self._enough:
            return True
        if self._waited_for:
            return False
        self._waited_for, looks = True, self._looks
        await self._sleep(PATIENCE / SECOND)
        return looks == self._looks


def _half(count: int) -> int:
    return (count + 1) // 2
