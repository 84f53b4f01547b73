"""SQLite: one owner, one write at a time, group commit.

Why it is shaped so: SQLite before 3.51.3 can corrupt a WAL when two connections write or checkpoint at once; a
cancelled await may have committed, or may leave a transaction open that swallows somebody else's rows; and
`synchronous=FULL` costs one fsync a commit. So all writes go through one long-lived task that commits whatever waits
together, each group in one visit to a thread of its own, which nothing can cancel; requests await a future. While many
come, a second process takes work off that thread, in turn with it (`ledger.apart`). Reads have connections of
aiosqlite.
"""

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from ledger import migration, wal
from ledger.apart import Apart
from ledger.database import Work
from ledger.errors import CannotOpen, Overloaded, Unavailable
from ledger.filelock import FileLock
from ledger.group import Unit, reason, run_all
from ledger.observer import Observer, Unobserved
from ledger.pragmas import READING, configure, writing_engine

T = TypeVar("T")

MAX_WAITING = 4_096
MAX_GROUP = 256
READERS = 4

TRIES, PAUSE = 20, 0.05
"""How often, and after how many seconds each, a file is tried that is in use: the second writer of a process that was
killed may be ending its last commit."""


class SqliteDatabase:
    """A SQLite file owned by this process. Use `open`."""

    def __init__(self, path: Path, lock: FileLock) -> None:
        self._lock = lock
        self._writing = writing_engine(path)
        self._reading = _reading_engine(path)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger-writer")
        self._waiting: asyncio.Queue[Unit[Any] | None] = asyncio.Queue()
        self.observer: Observer = Unobserved()
        self._writer: asyncio.Task[None] | None = None
        self._apart = Apart(
            path,
            lock,
            back=self._waiting.put_nowait,
            committed=lambda seconds, count: self.observer.committed(seconds, count),
        )
        self._running: set[asyncio.Task[Any]] = set()

    @classmethod
    async def open(cls, path: Path) -> "SqliteDatabase":
        """Takes the file, making it if it is missing. Raises `CannotOpen`."""
        lock = None
        path = _real(path)
        if path.is_dir():
            raise CannotOpen(f"{path} is a folder. Name a file in it: sqlite:///{path}/postback.sqlite3")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if lock := await _lock(path):
                # Only under the lock: closing any descriptor of a file ends this process's SQLite locks on it.
                os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
                _refuse_damage(path)
        except (CannotOpen, OSError) as error:
            if lock:
                lock.release()
            if isinstance(error, OSError):
                error = CannotOpen(f"cannot write to {path}: {error.strerror}. Set POSTBACK_HOME to a folder you own")
            raise error from None
        if lock is None:
            raise CannotOpen(
                f"{path} is in use by another process. SQLite serves one process: stop the other one, "
                "or use PostgreSQL (POSTBACK_DATABASE_URL=postgresql://…) to run several"
            )
        database = cls(path, lock)
        try:
            await database._in_thread(_check, database._writing)
        except SQLAlchemyError as error:
            await database._dispose()
            raise CannotOpen(
                f"{path} cannot be used: {reason(error)}. Restore it from a backup, or move it away"
            ) from None
        except CannotOpen:
            await database._dispose()
            raise
        database._writer = asyncio.create_task(database._write_groups(), name="ledger-writer")
        return database

    async def read(self, work: Work[T]) -> T:
        if self._writer is None:
            raise Unavailable("the database is closed")
        # A task of its own: cancelled half-way, it would hold its snapshot until Python collects the garbage.
        task = asyncio.create_task(self._read(work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def write(self, work: Work[T]) -> T:
        if self._writer is None or self._writer.done():
            raise Unavailable("the database is closed")
        if self._waiting.qsize() >= MAX_WAITING:
            raise Overloaded("too many writes are waiting")
        unit = Unit(work)
        self._waiting.put_nowait(unit)
        return await unit.done

    @property
    def at_once(self) -> int:
        return 2 if self._apart.busy else 1

    async def migrate(self) -> None:
        await self.write(migration.upgrade)

    async def version(self) -> tuple[str | None, str]:
        return await self.read(migration.version)

    async def close(self) -> None:
        if self._writer is None:
            return
        writer, self._writer = self._writer, None  # from here on nothing is accepted
        if self._running:
            await asyncio.wait(self._running)
        self._waiting.put_nowait(None)
        try:
            await writer
            await self._apart.close()
        finally:
            await self._dispose()

    async def _read(self, work: Work[T]) -> T:
        try:
            async with self._reading.connect() as connection:
                return await connection.run_sync(work)
        except (DBAPIError, PoolTimeout) as error:
            raise Unavailable(f"the database could not be read: {reason(error)}") from error

    async def _dispose(self) -> None:
        # Readers first: the last connection to close checkpoints the WAL, and that must be the writer.
        await self._reading.dispose()
        await self._in_thread(self._writing.dispose)
        self._thread.shutdown(wait=False)
        self._lock.release()

    async def _in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    async def _write_groups(self) -> None:
        closing = False
        while not closing or not self._waiting.empty():
            group = [await self._waiting.get()]
            while len(group) < MAX_GROUP and not self._waiting.empty():
                group.append(self._waiting.get_nowait())
            closing = closing or None in group
            units = [unit for unit in group if unit is not None and not self._apart.take(unit)]
            if units or closing:
                await self._apart.idle()  # one writes at a time; what comes back from there is waiting then
            if units:
                await self._commit(units)

    async def _commit(self, units: list[Unit[Any]]) -> None:
        """One transaction for all; a unit that fails is rolled back to its own savepoint."""
        began = time.perf_counter()
        try:
            await self._in_thread(run_all, self._writing, units)
        except Exception as error:  # whatever it is, the next ones may be written
            for unit in units:
                unit.fail(Unavailable(f"the database could not be written: {reason(error)}"))
            return
        for unit in units:
            unit.finish()
        self.observer.committed(time.perf_counter() - began, len(units))


def _reading_engine(path: Path) -> AsyncEngine:
    address = URL.create("sqlite+aiosqlite", database=str(path))
    engine = create_async_engine(address, poolclass=AsyncAdaptedQueuePool, pool_size=READERS, max_overflow=0)
    configure(engine.sync_engine, READING, "BEGIN")
    return engine


async def _lock(path: Path) -> FileLock | None:
    """The file's lock, or None where another process keeps it."""
    lock = FileLock.of_database(path)
    for _ in range(TRIES):
        if lock is not None:
            break
        await asyncio.sleep(PAUSE)
        lock = FileLock.of_database(path)
    return lock


def _real(path: Path) -> Path:
    return path.resolve()


def _refuse_damage(path: Path) -> None:
    """Raises `CannotOpen` where SQLite would forget what was committed."""
    log = path.with_name(path.name + "-wal")
    if found := wal.damage(log):
        raise CannotOpen(
            f"{log} is damaged: {found.commits} commits cannot be read any more. Restore the database from a backup; "
            f"or, to go on with what was committed before them: truncate -s {found.offset} {log}"
        )


def _check(engine: Engine) -> None:
    with engine.connect() as connection:
        found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    if found != "ok":
        raise CannotOpen(f"the database is damaged ({found}). Restore it from a backup, or move the file away")
