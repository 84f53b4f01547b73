"""How much work a loop has under way, and when the end of a piece is worth asking the database for more."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable

from ledger.clock import SECOND

PATIENCE = SECOND // 100
"""How long, in milliseconds, the first to end waits for others to make room with it."""


class Room:
    """Room for `size` pieces of work at once, of one queue or several.

    To claim one costs the database what it costs to claim many. So while more waits than there is room for, more is
    claimed when as much of a queue has ended as is still under way, or `PATIENCE` after the first end.
    """

    def __init__(self, size: int, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._size = size
        self._sleep = sleep
        self._busy = Counter[str]()
        self._ended = Counter[str]()
        self._looks = 0
        self._waited_for = False
        self.busy = 0
        """How many have begun and not ended."""

    def look(self) -> int:
        """How many more there is room for; with this a pass of the loop begins."""
        self._looks += 1
        self._ended.clear()
        self._waited_for = False
        return max(0, self._size - self.busy)

    def take(self, queues: Iterable[str]) -> None:
        """One more has begun of each of these."""
        for queue in queues:
            self._busy[queue] += 1
            self.busy += 1

    def leave(self, queue: str, *, replaced: bool = False) -> None:
        """One of this queue has ended. Its place is free, unless another takes it at once."""
        self.busy -= 1
        self._busy[queue] -= 1
        if not self._busy[queue]:
            del self._busy[queue]
        if not replaced:
            self._ended[queue] += 1

    async def asks(self, queue: str) -> bool:
        """For one of this queue that has ended, where more waits: whether it is the one that calls the loop again."""
        if self._ended[queue] >= self._busy[queue]:
            return True
        if self._waited_for:
            return False
        self._waited_for, looks = True, self._looks
        await self._sleep(PATIENCE / SECOND)
        return looks == self._looks
