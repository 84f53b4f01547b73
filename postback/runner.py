"""Runs a loop: calls it when it is due or woken, and at the end waits for what it started."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog

from ledger.clock import SECOND, Clock
from ledger.errors import Unavailable

log = structlog.get_logger()

IDLE = 1 * SECOND
"""The longest pause: work may also come from another process, which cannot wake us."""


class Runner:
    """Owns sleeping, waking, stopping and draining for one loop, `run_once(now) -> next_due`."""

    def __init__(self, name: str, clock: Clock, *, idle: int = IDLE) -> None:
        self.name = name
        self._clock = clock
        self._idle = idle
        self._woken = asyncio.Event()
        self._alarm: asyncio.TimerHandle | None = None
        self._stopping = False
        self._started: set[asyncio.Task[bool | None]] = set()
        self._loop: asyncio.Task[None] | None = None

    def start(self, run_once: Callable[[int], Awaitable[int | None]]) -> None:
        """Begins to run the loop."""
        self._loop = asyncio.create_task(self._run(run_once), name=self.name)

    def wake(self, due: int | None = None) -> None:
        """There may be something to do now, or when it is `due`."""
        pause = 0 if due is None else due - self._clock()
        if pause <= 0:
            self._woken.set()
        elif pause < self._idle:  # by then it is called anyway
            self._ring(pause / SECOND)

    def spawn(self, work: Coroutine[Any, Any, bool | None]) -> None:
        """Runs work beside the loop; the loop is woken when it ends, unless it returns False."""
        task = asyncio.create_task(work)
        self._started.add(task)
        task.add_done_callback(self._ended)

    def stopping(self) -> bool:
        """Whether nothing more is taken."""
        return self._stopping

    def hush(self) -> None:
        """Takes no more: the pass that runs is the last."""
        self._stopping = True
        self.wake()

    async def stop(self, within: float) -> None:
        """Takes no more, gives what was started `within` seconds to end, and ends the rest: its leases run out."""
        self.hush()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                if self._loop is not None:
                    await asyncio.wait([self._loop])
                while self._started:
                    await asyncio.wait(self._started)
        late = [task for task in (self._loop, *self._started) if task is not None and not task.done()]
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _run(self, run_once: Callable[[int], Awaitable[int | None]]) -> None:
        while not self._stopping:
            self._woken.clear()
            try:
                due = await run_once(self._clock())
            except Unavailable as error:
                log.warning("database_unavailable", loop=self.name, reason=str(error))
                due = self._clock() + SECOND
            except Exception:
                log.exception("loop_failed", loop=self.name)
                due = self._clock() + SECOND
            pause = self._idle if due is None else min(self._idle, max(0, due - self._clock()))
            if pause and not self._woken.is_set():
                try:
                    async with asyncio.timeout(pause / SECOND):
                        await self._woken.wait()
                except TimeoutError:
                    pass

    def _ring(self, pause: float) -> None:
        """Wakes the loop in so many seconds, if nothing does before."""
        loop = asyncio.get_running_loop()
        then = loop.time() + pause
        if self._alarm is not None:
            if self._alarm.when() <= then:
                return
            self._alarm.cancel()
        self._alarm = loop.call_at(then, self._rung)

    def _rung(self) -> None:
        self._alarm = None
        self._woken.set()

    def _ended(self, task: asyncio.Task[bool | None]) -> None:
        self._started.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Unavailable):
            log.warning("database_unavailable", loop=self.name, reason=str(error))
        elif error is not None:
            log.error("work_failed", loop=self.name, exc_info=error)
        elif not task.cancelled() and task.result() is False:
            return
        self.wake()
