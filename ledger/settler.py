"""Settling what cannot be had again, a webhook's answer or a paid task_id: held on to while the database is away."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Concatenate, Generic, TypeVar

from sqlalchemy import Connection

from ledger.batch import Batch
from ledger.clock import SECOND
from ledger.errors import Unavailable
from ledger.ledger import Ledger
from ledger.moment import Moment

I = TypeVar("I")  # noqa: E741 - input, as O is output
O = TypeVar("O")  # noqa: E741

FIRST_PAUSE = SECOND // 10
LONGEST_PAUSE = 2 * SECOND


class Settler(Generic[I, O]):
    """Settles in batches, as `Batch` does with `work`, what it is `given`, and `apart`. It answers for each item
    what the work does.

    A try may have been committed without our hearing of it, so the work's fence must refuse a second time what it took
    once. `jitter` is in [0, 1).
    """

    def __init__(
        self,
        ledger: Ledger,
        work: Callable[Concatenate[Connection, Moment, Sequence[I], ...], Sequence[O]],
        *,
        given: Callable[[int], tuple[Any, ...]] = lambda count: (),
        apart: bool = False,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.holding = 0
        """How many items wait for the database to come back."""
        self._batch = Batch(ledger, work, given=given, apart=apart)
        self._clock = ledger.clock
        self._sleep = sleep
        self._jitter = jitter

    async def settle(self, item: I, until: int) -> O:
        """Returns the work's answer after its commit. Raises what the work raises; `Unavailable` only when the database
        is still away at `until`, in epoch milliseconds."""
        with suppress(Unavailable):
            return await self._batch.add(item)
        self.holding += 1
        try:
            return await self._hold(item, until)
        finally:
            self.holding -= 1

    async def _hold(self, item: I, until: int) -> O:
        tries = 1
        while True:
            left = until - self._clock()
            await self._sleep(max(0, min(pause(tries, self._jitter()), left)) / SECOND)
            try:
                return await self._batch.add(item)
            except Unavailable:
                if self._clock() >= until:
                    raise
            tries += 1


def pause(tries: int, jitter: float) -> int:
    """How many milliseconds to wait after so many failed tries: doubling, and spread over the upper half."""
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(tries - 1, 10))
    return round(longest * (1 + jitter) / 2)
