"""The database of the simulation: SQLite in memory, without threads, which several processes may share.

A transaction is one moment of virtual time, so they follow each other as under serializable isolation; a process can
die or be stopped in the moment before it and in the moment after.
"""

import asyncio
import re
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from math import inf
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import StaticPool

from ledger.clock import Clock
from ledger.database import Work
from ledger.errors import Unavailable
from ledger.ledger import Ledger
from ledger.pace import HORIZON
from ledger.polls import OVERDUE
from ledger.schema import schema

PATROLS = {
    "submissions.expire",
    "submissions.claim",
    "polls.claim",
    "polls.overdue",
    "reconciling.claim",
    "parcels.claim",
}
"""What loops do to find out whether there is anything to do. What they find depends on what is written and on which
times in the database have come."""

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
        self._versions = dict.fromkeys(schema.tables, 0)
        self._used: set[str] = set()
        self._tables = cache(_tables)
        event.listen(self._engine, "before_cursor_execute", self._hear)

    def clear(self) -> None:
        """Empties it. Its statements stay prepared, which they would not in another file."""
        for table in schema.tables:
            self.raw.execute(f"DELETE FROM {table}")

    @property
    def written(self) -> int:
        """Counts rows that were written."""
        return self.raw.total_changes

    def run(self, work: Work[T]) -> T:
        """One transaction. Work that raises is rolled back."""
        self._used.clear()
        before = self.written
        with self._connection.begin():
            answer = work(self._connection)
        if self.written != before:
            for table in self._used:
                self._versions[table] += 1
        return answer

    def used(self) -> dict[str, int]:
        """The tables that the last transaction had to do with, and how often each was written by then."""
        return {table: self._versions[table] for table in self._used}

    def unwritten(self, since: Mapping[str, int]) -> bool:
        """Whether none of these tables was written since."""
        return all(self._versions[table] == version for table, version in since.items())

    def _hear(self, connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        self._used |= self._tables(statement)

    def quiet_until(self, now: int) -> float:
        """The first time that has not come at `now`, of all in the tables that the last transaction had to do with."""
        query = _times(frozenset(self._used))
        return min((row[0] for row in self.raw.execute(query, (now,)) if row[0] is not None), default=inf)

    def rows(self, query: str) -> list[Any]:
        """What a query finds, past SQLAlchemy."""
        return self.raw.execute(query).fetchall()


@dataclass(frozen=True)
class _Found:
    """What a patrol found: with what it was sent out, where it looked, when, and until when it finds the same."""

    arguments: Any
    tables: Mapping[str, int]
    since: int
    until: float
    answer: Any


class Access:
    """One process's way to the store, as the ledger's `Database`. `turn` is awaited before each transaction, and
    `committed` is called right after it, with whether it wrote something. Either may raise instead.

    A patrol that wrote nothing finds the same again as long as nobody writes to the tables that it looked at and no
    time comes that stands in one of them; then it is answered from memory: most of what loops do is this.
    """

    at_once = 1

    def __init__(
        self,
        store: Store,
        turn: Callable[[str], Awaitable[None]],
        committed: Callable[[str, bool], None],
        clock: Clock,
    ) -> None:
        self._store = store
        self._turn = turn
        self._committed = committed
        self._clock = clock
        self._found: dict[str, _Found] = {}
        self._running: set[asyncio.Task[Any]] = set()

    async def read(self, work: Work[T]) -> T:
        name = getattr(work, "name", "read")
        await self._turn(name)
        return self._patrol(name, work)

    async def write(self, work: Work[T]) -> T:
        task = asyncio.create_task(self._commit(work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def _commit(self, work: Work[T]) -> T:
        name = getattr(work, "name", "work")
        await self._turn(name)
        before = self._store.written
        answer = self._patrol(name, work) if name in PATROLS else self._store.run(work)
        self._committed(name, self._store.written != before)
        return answer

    def _patrol(self, name: str, work: Work[T]) -> T:
        now, arguments, known = self._clock(), getattr(work, "arguments", None), self._found.get(name)
        same = known is not None and known.since <= now < known.until and known.arguments == arguments
        if known is not None and same and self._store.unwritten(known.tables):
            answer: T = known.answer
            return answer
        before = self._store.written
        answer = self._store.run(work)
        if self._store.written == before:
            found = _Found(arguments, self._store.used(), now, self._store.quiet_until(now), answer)
            self._found[name] = found
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

        return await self.database.write(_Named(named, work, (args, kwargs)))

    async def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        def named(connection: Connection) -> T:
            return work(connection, *args, **kwargs)

        return await self.database.read(_Named(named, work, (args, kwargs)))


class _Named:
    """Work that knows which query function it is, and what that was given."""

    def __init__(self, run: Callable[[Connection], Any], work: Any, arguments: Any) -> None:
        self._run = run
        self.name = f"{work.__module__.rpartition('.')[2]}.{work.__name__}"
        self.arguments = arguments

    def __call__(self, connection: Connection) -> Any:
        return self._run(connection)


def _tables(statement: str) -> frozenset[str]:
    """The tables that a statement names."""
    return frozenset(re.findall(r"\w+", statement)) & schema.tables.keys()


def _engine() -> Engine:
    engine = create_engine("sqlite://", poolclass=StaticPool)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions begin where we say so

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.connection.driver_connection.execute("BEGIN")  # type: ignore[union-attr]

    return engine


def away() -> Unavailable:
    """What a process gets while it cannot reach the database, or does not hear that a commit came to be."""
    return Unavailable("the database is away")


_TIMES = {
    "jobs": ("due_at", f"deadline_at + {OVERDUE}"),
    "deliveries": ("due_at",),
    "lanes": ("paused_until", "next_at"),
    "paces": (f"next_at - {HORIZON}", "next_at"),
}
"""The times in a table that make a difference when they come."""


@cache
def _times(tables: frozenset[str]) -> str:
    """Finds the next of each of those in these tables."""
    found = ((table, time) for table in sorted(tables) for time in _TIMES.get(table, ()))
    return (
        " UNION ALL ".join(f"SELECT min({time}) FROM {table} WHERE {time} > ?1" for table, time in found)
        or "VALUES (NULL)"
    )
