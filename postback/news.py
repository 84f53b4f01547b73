"""One look at the ledger for all who follow the stream: they sleep until there is something behind their place."""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

import structlog

from ledger import stream
from ledger.errors import Unavailable
from ledger.ledger import Ledger
from ledger.stream import Cursor, Slice

log = structlog.get_logger()

PAUSE = 0.25
"""Seconds between two looks while somebody waits: another process may have written, which cannot wake us."""

SOON = 0.02
"""Seconds from being woken to the look, so that a burst of writes costs one."""

AWAY = 1.0
"""Seconds until the database is asked again when it could not be read."""

PAGE = 100
"""How many notifications are read at once."""


class News:
    """What the listeners of one process share: looks at the ledger only while somebody waits."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiting: dict[asyncio.Future[None], int] = {}
        self._reads: dict[tuple[Cursor, tuple[str, ...]], asyncio.Task[Slice]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._watcher: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()
        self.closed = False

    def wake(self) -> None:
        """This process wrote something."""
        self._woken.set()

    def close(self) -> None:
        """Sends everybody home: those that wait return at once, and whoever looks finds `closed`."""
        self.closed = True
        self._woken.set()
        self._release()

    async def drain(self) -> None:
        """Returns when nothing of it runs any more."""
        self.close()
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def read(self, cursor: Cursor, events: tuple[str, ...]) -> Slice:
        """The next page behind a cursor. Those that ask for the same at once share one read.

        Cancelling the caller does not cancel the read. Raises `BadPlace` and `Unavailable`.
        """
        key = cursor, events
        task = self._reads.get(key)
        if task is None:
            task = self._reads[key] = self._run(self._ledger.read(stream.read, cursor, events, PAGE))
            task.add_done_callback(lambda _: self._reads.pop(key))
        return await asyncio.shield(task)

    async def wait(self, serial: int, seconds: float) -> bool:
        """Whether there is something with a higher serial, waiting that long for it at most."""
        if self.closed:
            return False
        waiter = asyncio.get_running_loop().create_future()
        self._waiting[waiter] = serial
        if self._watcher is None or self._watcher.done():
            self._watcher = self._run(self._watch())
        try:
            async with asyncio.timeout(seconds):
                await waiter
        except TimeoutError:
            return False
        finally:
            del self._waiting[waiter]
        return not self.closed

    async def _watch(self) -> None:
        while self._waiting and not self.closed:
            pause = PAUSE
            self._woken.clear()
            try:
                self._release(below=await self._ledger.read(stream.head))
            except Unavailable as error:
                log.warning("database_unavailable", loop="stream", reason=str(error))
                pause = AWAY
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._woken.wait()
                    await asyncio.sleep(SOON)

    def _release(self, *, below: int | None = None) -> None:
        for waiter, serial in self._waiting.items():
            if not waiter.done() and (below is None or serial < below):
                waiter.set_result(None)

    def _run(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
