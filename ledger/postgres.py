"""PostgreSQL: as many processes as wanted, a pool of connections in each, rows claimed with SKIP LOCKED."""

import asyncio
import time
from typing import Any, TypeVar

from sqlalchemy import make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from ledger import migration
from ledger.database import Work
from ledger.errors import CannotOpen, Overloaded, Unavailable
from ledger.observer import Observer, Unobserved

T = TypeVar("T")

POOL = 10
WRITERS = 8
"""How many connections writes may take: however many wait, reading goes on."""

POOL_SECONDS = 5
"""How long a read waits for a connection."""

MAX_WAITING = 2_048
CONNECT_SECONDS = 10
TRIES = 5

_TRY_AGAIN = ("40001", "40P01")
"""Serialization failure and deadlock: the transaction did nothing and may be run again."""

_OURS = ("22", "23", "42")
"""Classes of errors that a statement of ours caused, and that no waiting would mend: data, integrity, syntax."""


class PostgresDatabase:
    """A PostgreSQL database. Use `open`."""

    at_once = 1

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._reading = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._running: set[asyncio.Task[Any]] = set()
        self._writers = asyncio.Semaphore(WRITERS)
        self.observer: Observer = Unobserved()

    @classmethod
    async def open(cls, url: str) -> "PostgresDatabase":
        """Connects once to see that it can. Raises `CannotOpen`."""
        address = _asyncpg_url(url)
        try:
            engine = create_async_engine(
                address,
                pool_size=POOL,
                max_overflow=0,
                pool_timeout=POOL_SECONDS,
                pool_pre_ping=True,
                connect_args={"timeout": CONNECT_SECONDS, "server_settings": {"application_name": "postback"}},
            )
        except ModuleNotFoundError:
            raise CannotOpen("PostgreSQL needs the extra: pip install 'postback[postgres]'") from None
        database = cls(engine)
        try:
            async with engine.connect():
                pass
        except Exception as error:  # asyncpg has a tree of its own: wrong password, unknown database, no server
            await engine.dispose()
            raise CannotOpen(
                f"cannot connect to PostgreSQL at {_place(address)}: {_reason(error)}. "
                "Check that it runs and that POSTBACK_DATABASE_URL is right"
            ) from None
        return database

    async def read(self, work: Work[T]) -> T:
        try:
            async with self._reading.connect() as connection:
                return await connection.run_sync(work)
        except Exception as error:
            if isinstance(error, DBAPIError) or _unreachable(error):
                raise Unavailable(f"the database could not be read: {_reason(error)}") from error
            raise

    async def write(self, work: Work[T]) -> T:
        if len(self._running) >= MAX_WAITING:
            raise Overloaded("too many writes are waiting")
        # A task of its own, so that a cancelled request never cancels a transaction half-way.
        task = asyncio.create_task(self._take_turn(work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def migrate(self) -> None:
        await self.write(migration.upgrade)

    async def version(self) -> tuple[str | None, str]:
        return await self.read(migration.version)

    async def close(self) -> None:
        if self._running:
            await asyncio.wait(self._running)
        await self._engine.dispose()

    async def _take_turn(self, work: Work[T]) -> T:
        async with self._writers:
            return await self._commit(work)

    async def _commit(self, work: Work[T]) -> T:
        for _ in range(TRIES):
            began = time.perf_counter()
            connected = False
            try:
                async with self._engine.begin() as connection:
                    connected = True
                    result = await connection.run_sync(work)
                self.observer.committed(time.perf_counter() - began, 1)
                return result
            except DBAPIError as error:
                state = _sqlstate(error)
                if connected and state[:2] in _OURS:
                    raise
                if state not in _TRY_AGAIN:
                    raise Unavailable(f"the database could not be written: {_reason(error)}") from error
            except Exception as error:
                if _unreachable(error):
                    raise Unavailable(f"the database cannot be reached: {_reason(error)}") from error
                raise
        raise Unavailable("the transaction kept meeting others; try again")


def _asyncpg_url(url: str) -> URL:
    address = make_url(url).set(drivername="postgresql+asyncpg")
    query = dict(address.query)
    if "sslmode" in query:  # libpq's word; asyncpg calls it ssl
        query["ssl"] = query.pop("sslmode")
    return address.set(query=query)


def _place(address: URL) -> str:
    return f"{address.host or 'a local socket'}:{address.port or 5432}/{address.database or ''}"


def _sqlstate(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""


def _unreachable(error: Exception) -> bool:
    """Whether a connection could not be had. What asyncpg says of a server that will not have us is not wrapped."""
    return isinstance(error, (OSError, TimeoutError, PoolTimeout)) or type(error).__module__.startswith("asyncpg")


def _reason(error: BaseException) -> str:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return str(cause).splitlines()[0] if str(cause) else type(cause).__name__
