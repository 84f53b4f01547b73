"""The database of the simulation: SQLite in memory, without threads, which several processes may share.

A transaction is one moment of virtual time, so they follow each other as under serializable isolation; a process can
die or be stopped in the moment before it and in the moment after.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import StaticPool

from ledger.database import Work
from ledger.errors import Unavailable
from ledger.ledger import Ledger
from ledger.schema import schema

P = ParamSpec("P")
T = TypeVar("T")


class Store:
    """One SQLite database in memory. It is emptied for each run, because making its tables takes longer than a run."""

    def __init__(self) -> None:
        self._engine = _engine()
        schema.create_all(self._engine)
        self._connection: Connection = self._engine.connect()
        raw = self._connection.connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)
        self.raw = raw
        self._blank = raw.serialize()

    def clear(self) -> None:
        """Empties it."""
        self.raw.deserialize(self._blank)

    @property
    def written(self) -> int:
        """Counts rows that were written."""
        return self.raw.total_changes

    def run(self, work: Work[T]) -> T:
        """One transaction. Work that raises is rolled back."""
        with self._connection.begin():
            return work(self._connection)

    def rows(self, query: str) -> list[Any]:
        """What a query finds, past SQLAlchemy."""
        return self.raw.execute(query).fetchall()


class Access:
    """One process's way to the store, as the ledger's `Database`. `turn` is awaited before each transaction, `told`
    after it; `committed` is called in the moment between."""

    def __init__(
        self,
        store: Store,
        turn: Callable[[str], "asyncio.Future[None]"],
        committed: Callable[[str, bool], None],
    ) -> None:
        self._store = store
        self._turn = turn
        self._committed = committed
        self._running: set[asyncio.Task[Any]] = set()

    async def read(self, work: Work[T]) -> T:
        await self._turn("read")
        return self._store.run(work)

    async def write(self, work: Work[T]) -> T:
        task = asyncio.create_task(self._commit(work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def _commit(self, work: Work[T]) -> T:
        name = getattr(work, "name", "work")
        await self._turn(name)
        before = self._store.written
        answer = self._store.run(work)
        self._committed(name, self._store.written != before)
        return answer

    async def migrate(self) -> None:
        """The tables are there."""

    async def version(self) -> tuple[str | None, str]:
        return "simulated", "simulated"

    async def close(self) -> None:
        """The store outlives its processes."""


class NamedLedger(Ledger):
    """A ledger whose transactions carry the name of their query function, for the trace and the invariants."""

    async def write(self, work: Callable[Concatenate[Connection, Any, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        def named(connection: Connection) -> T:
            return work(connection, self._moment(), *args, **kwargs)

        owner = getattr(work, "__module__", "").rpartition(".")[2]
        named.name = f"{owner}.{getattr(work, '__name__', 'work')}"  # type: ignore[attr-defined]
        return await self.database.write(named)


def _engine() -> Engine:
    engine = create_engine("sqlite://", poolclass=StaticPool)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions begin where we say so

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


UNAVAILABLE = "the database is away"


def away() -> Unavailable:
    """What a process gets while it cannot reach the database, or does not hear that a commit came to be."""
    return Unavailable(UNAVAILABLE)
