"""Virtual time: nobody waits for it, and it moves only when everybody who could do something sleeps."""

import asyncio
import heapq
import itertools
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from builders import NOW

RunOnce = Callable[[int], Awaitable[int | None]]


class Time:
    """A clock in milliseconds, and the sleep that goes with it."""

    def __init__(self, now: int = NOW) -> None:
        self.now = now
        self.changed = asyncio.Event()
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def __call__(self) -> int:
        return self.now

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now + round(seconds * 1_000), next(self._order), woken))
        self.changed.set()
        await woken

    @property
    def sleeping(self) -> int:
        """How many sleep; one that was cancelled does not."""
        return sum(not woken.done() for _, _, woken in self._sleepers)

    @property
    def next_at(self) -> int | None:
        """When the first sleeper wakes."""
        return self._sleepers[0][0] if self._sleepers else None

    def move_to(self, now: int) -> None:
        """Moves time on and wakes whoever's time has come."""
        self.now = max(self.now, now)
        while self._sleepers and self._sleepers[0][0] <= self.now:
            woken = heapq.heappop(self._sleepers)[2]
            if not woken.done():
                woken.set_result(None)


class Crew:
    """What loops spawn: kept until it is told to work, then run side by side in virtual time."""

    def __init__(self, time: Time) -> None:
        self._time = time
        self._waiting: list[Coroutine[Any, Any, None]] = []
        self._working: set[asyncio.Task[None]] = set()
        self.failures: list[BaseException] = []
        self.ended = 0

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._waiting.append(work)

    async def work(self) -> int:
        """Lets everybody work until they have ended or sleep; returns how many ended."""
        before = self.ended
        for work in self._waiting:
            task = asyncio.create_task(work)
            self._working.add(task)
            task.add_done_callback(self._done)
        self._waiting.clear()
        async with asyncio.timeout(20):
            while len(self._working) > self._time.sleeping:
                self._time.changed.clear()
                await self._time.changed.wait()
        return self.ended - before

    async def finish(self) -> None:
        """Lets everybody work to the end, however long they sleep."""
        await self.work()
        while (next_at := self._time.next_at) is not None:
            self._time.move_to(next_at)
            await self.work()

    async def die(self) -> None:
        """The process stops here: nothing that was started goes on."""
        for work in self._waiting:
            work.close()
        self._waiting.clear()
        working = list(self._working)
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)

    async def run(self, *loops: RunOnce, until: int) -> int:
        """Runs loops as the runner does: when they are due and whenever work ends. Returns how many passes it took."""
        due: dict[RunOnce, int | None] = dict.fromkeys(loops, self._time.now)
        passes = 0
        while True:
            for loop in loops:
                if (at := due[loop]) is not None and at <= self._time.now:
                    due[loop] = await loop(self._time.now)
                    passes += 1
            assert passes < 20_000, "the loops spin"
            if await self.work():
                due = dict.fromkeys(loops, self._time.now)
                continue
            coming = [at for at in (*due.values(), self._time.next_at) if at is not None]
            if min(coming, default=until) >= until:
                self._time.move_to(until)
                await self.work()
                return passes
            self._time.move_to(min(coming))

    def _done(self, task: asyncio.Task[None]) -> None:
        self._working.discard(task)
        self.ended += 1
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failures.append(error)
        self._time.changed.set()
