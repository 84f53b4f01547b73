"""SQLite's second writer: a process that runs whole transactions for this one, in turn with this one's own.

Of two threads of Python only one computes at a time, so a transaction that is computed on the writer's thread takes
from the event loop what it needs. Where many come at once, another process computes it, while the loop answers the last
ones and reads the next. Still one writes at a time: what is done here waits until nothing is under way there, and the
lock on the file belongs to both.
"""

import asyncio
import os
import pickle
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from ledger.call import FAILED, READY, Call
from ledger.company import WORTH
from ledger.errors import Unavailable
from ledger.filelock import FileLock
from ledger.frames import Frames, framed
from ledger.group import Unit

PROGRAM = "-P", "-m", "ledger.worker"
"""For our own Python, before the path of the database."""

OFTEN, BUSY = 4, 1.0
"""While so many such pieces come within so many seconds, all that can be is sent, however little it is: of two
connections that write in turn, each reads again what the other has changed. At other times nothing is sent: a message
there and back takes longer than what is done for one callback."""

HANGS = 15
"""After how many seconds without an answer it is ended, and what it was doing is done here."""

SECONDS = 10
"""How long it may take to end, when it is told to."""

REST = 60
"""After how many seconds one that ended by itself may be followed by another."""


class Apart(asyncio.SubprocessProtocol):
    """The other process, which is started when there is first something for it to do.

    What it cannot do, or was doing when it ended, is given `back`, to be done here: it is not done, or nobody knows. So
    all that is sent must bear to be done again.
    `committed` is told how long a transaction took, in seconds, and how many pieces of work were in it.
    """

    def __init__(
        self,
        path: Path,
        lock: FileLock,
        *,
        back: Callable[[Unit[Any]], None],
        committed: Callable[[float, int], None],
    ) -> None:
        self._path = path
        self._lock = lock
        self._back = back
        self._committed = committed
        self._starting: asyncio.Task[None] | None = None
        self._transport: asyncio.SubprocessTransport | None = None
        self._frames = Frames()
        self._under_way: deque[Unit[Any]] = deque()
        self._returned: set[Unit[Any]] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._ended = asyncio.Event()
        self._ended.set()
        self._since = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._not_before = 0.0
        self._large = deque[float](maxlen=OFTEN)
        """When large pieces of work came, the oldest first."""
        self._ready = False

    @property
    def busy(self) -> bool:
        """Whether it is there, and all that can be is sent to it at present."""
        often = len(self._large) == OFTEN and asyncio.get_running_loop().time() - self._large[0] < BUSY
        return self._ready and often

    def take(self, unit: Unit[Any]) -> bool:
        """Sends a piece of work there, if that can be done."""
        if not isinstance(unit.work, Call):
            return False
        if unit in self._returned:
            self._returned.remove(unit)
            return False
        if unit.work.size >= WORTH:
            self._large.append(asyncio.get_running_loop().time())
            self._start()
        if not self.busy:
            return False
        try:
            self._pipe(0).write(framed(unit.work.message()))
        except Exception:  # it cannot be pickled, or the process has just ended
            return False
        if not self._under_way:
            self._since = time.perf_counter()
            self._idle.clear()
        self._under_way.append(unit)
        self._watch()
        return True

    async def idle(self) -> None:
        """Waits until nothing is under way there."""
        await self._idle.wait()

    async def close(self) -> None:
        """Has it end, once all is done there."""
        if self._starting is not None:
            await self._starting
        await self._idle.wait()
        ready, self._ready = self._ready, False
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is None or self._ended.is_set():
            return
        if ready:
            self._pipe(0).close()
        else:
            self._transport.kill()
        try:
            async with asyncio.timeout(SECONDS):
                await self._ended.wait()
        except TimeoutError:
            self._transport.kill()
            await self._ended.wait()

    def _start(self) -> None:
        rested = self._ended.is_set() and asyncio.get_running_loop().time() >= self._not_before
        if rested and sys.platform != "win32" and processors() > 1:
            self._ended.clear()
            self._starting = asyncio.create_task(self._begin(), name="ledger-worker")

    async def _begin(self) -> None:
        program = sys.executable, *PROGRAM, str(self._path)
        try:
            await asyncio.get_running_loop().subprocess_exec(
                lambda: self, *program, stderr=asyncio.subprocess.DEVNULL, pass_fds=(self._lock.descriptor,)
            )
        except OSError:
            self._over()  # no room for another process; all goes on here

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It has been started."""
        self._transport = cast(asyncio.SubprocessTransport, transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        for message in self._frames.feed(data):
            if message == READY:
                self._ready = True
            else:
                self._committed_all(pickle.loads(message))  # noqa: S301 - from our own process

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        """It is about to end."""
        self._ready = False

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended."""
        self._ready = False
        if self._transport is not None:
            self._transport.close()
        for unit in self._under_way:
            self._return(unit)
        self._under_way.clear()
        self._frames = Frames()
        self._idle.set()
        self._over()

    def _committed_all(self, answers: Sequence[bytes]) -> None:
        now = time.perf_counter()
        if done := len(answers) - answers.count(FAILED):
            self._committed(now - self._since, done)
        self._since = now
        for answer in answers:
            self._answered(self._under_way.popleft(), answer)
        if not self._under_way:
            self._idle.set()

    def _answered(self, unit: Unit[Any], answer: bytes) -> None:
        if answer == FAILED:
            self._return(unit)
            return
        try:
            result = pickle.loads(answer)  # noqa: S301 - from our own process
        except Exception:
            unit.fail(Unavailable("the answer of the second writer cannot be read"))
        else:
            unit.finish_with(result)

    def _watch(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(HANGS, self._look)

    def _look(self) -> None:
        """Ends it where nothing comes back."""
        self._timer = None
        if not self._under_way:
            return
        if time.perf_counter() - self._since >= HANGS:
            cast(asyncio.SubprocessTransport, self._transport).kill()
        else:
            self._watch()

    def _over(self) -> None:
        self._not_before = asyncio.get_running_loop().time() + REST
        self._ended.set()

    def _return(self, unit: Unit[Any]) -> None:
        self._returned.add(unit)
        self._back(unit)

    def _pipe(self, fd: int) -> asyncio.WriteTransport:
        return cast(asyncio.WriteTransport, cast(Any, self._transport).get_pipe_transport(fd))


def processors() -> int:
    """How many may be used: with one alone, two processes would only take turns."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
