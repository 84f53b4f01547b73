"""Virtual time for several processes in one thread: each has an event loop of its own, and one timeline runs them all.

What runs next is drawn from the seed, one callback at a time, so that every interleaving of two processes can come up
and the same seed gives the same one. Time moves only when nobody has anything to do.
"""

import asyncio
import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, TypeVar

T = TypeVar("T")

BURST = 4
"""How many callbacks of one loop run in a row, at most, before another may have its turn."""

MANY = 200
"""How many tasks a loop remembers before it forgets those that have ended."""


class Loop(asyncio.AbstractEventLoop):
    """One process's event loop: its callbacks and timers, which the timeline runs. A stopped one keeps them."""

    def __init__(self, name: str, timeline: "Timeline") -> None:
        self.name = name
        self.ready: deque[asyncio.Handle] = deque()
        self.stopped = False
        self.dead = False
        self.ran = 0
        self.failures: list[str] = []
        self._timeline = timeline
        self._tasks: list[asyncio.Task[Any]] = []
        timeline.loops.append(self)

    def time(self) -> float:
        return self._timeline.now / 1_000

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self.ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_later(
        self, delay: float, callback: Any, *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(self, when: float, callback: Any, *args: Any, context: Context | None = None) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._timeline.add(round(when * 1_000), handle, self)
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: str | None = None, context: Context | None = None) -> asyncio.Task[Any]:
        if len(self._tasks) > MANY:
            self._tasks = [task for task in self._tasks if not task.done()]
        task = asyncio.Task(coro, loop=self, name=name, context=context)
        self._tasks.append(task)
        return task

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if "handle" in context:  # the rest comes from the garbage collector, whenever it likes
            self.failures.append(f"{context.get('message')}: {context.get('exception')!r}")

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It is passed over when its time comes."""

    def run_one(self) -> None:
        """Runs the oldest callback."""
        handle = self.ready.popleft()
        if not handle.cancelled():
            self.ran += 1
            asyncio._set_running_loop(self)
            try:
                handle._run()
            finally:
                asyncio._set_running_loop(None)

    def bury(self) -> None:
        """Ends all that belongs to this loop, without letting it reach anything outside."""
        self.dead = True
        for task in self._tasks:
            task.cancel()
        while self.ready:
            self.run_one()
        self._timeline.loops.remove(self)


class Timeline:
    """Milliseconds since the beginning, and all loops. `chance` decides who runs."""

    def __init__(self, chance: random.Random) -> None:
        self.now = 0
        self.loops: list[Loop] = []
        self.steps = 0
        self._chance = chance
        self._timers: list[tuple[int, int, asyncio.TimerHandle, Loop]] = []
        self._order = itertools.count()

    def add(self, when: int, handle: asyncio.TimerHandle, loop: Loop) -> None:
        """A timer."""
        heapq.heappush(self._timers, (max(when, self.now), next(self._order), handle, loop))

    def step(self, until: int) -> bool:
        """Runs something of somebody, or moves time on; False where nothing happens before `until`."""
        able = [loop for loop in self.loops if loop.ready and not loop.stopped]
        if not able:
            return self._advance(until)
        loop = able[0] if len(able) == 1 else self._chance.choice(able)
        for _ in range(1 if len(able) == 1 else self._chance.randint(1, BURST)):
            if loop.ready and not loop.stopped and not loop.dead:
                self.steps += 1
                loop.run_one()
        return True

    def _advance(self, until: int) -> bool:
        while self._timers:
            when, _, handle, loop = self._timers[0]
            if loop.dead or handle.cancelled():
                heapq.heappop(self._timers)
                continue
            if when > until:
                break
            self.now = when
            while self._timers and self._timers[0][0] <= when:
                _, _, handle, loop = heapq.heappop(self._timers)
                if not loop.dead and not handle.cancelled():
                    loop.ready.append(handle)
            return True
        self.now = max(self.now, until)
        return False


def across(here: Loop, there: Loop, work: Callable[[], Coroutine[Any, Any, T]]) -> "asyncio.Future[T]":
    """Lets another loop do work and brings its answer here. Where that loop dies, `ConnectionResetError` comes."""
    answer: asyncio.Future[T] = here.create_future()

    def tell(task: "asyncio.Task[T]") -> None:
        if answer.done() or here.dead:
            return
        if task.cancelled():
            answer.set_exception(ConnectionResetError())
        elif (error := task.exception()) is not None:
            answer.set_exception(error)
        else:
            answer.set_result(task.result())

    def begin() -> None:
        task = there.create_task(work())
        task.add_done_callback(lambda ended: here.call_soon(tell, ended))

    there.call_soon(begin)
    return answer
