"""The ledger's door: opens the database, and runs work on it with the time and ids it may use."""

from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, make_url

from ledger.call import Call
from ledger.clock import Clock, system_now
from ledger.database import Database
from ledger.errors import CannotOpen
from ledger.ids import Ids
from ledger.moment import Moment
from ledger.observer import Observer, Unobserved
from ledger.postgres import PostgresDatabase
from ledger.sqlite import SqliteDatabase

P = ParamSpec("P")
T = TypeVar("T")


class Ledger:
    """A database with a clock. Query functions live beside their noun and take a connection first.

    await ledger.write(jobs.create, draft)
    await ledger.read(jobs.get, job_id)
    """

    def __init__(self, database: Database, *, clock: Clock = system_now, ids: Ids | None = None, first_delay: int = 0):
        self.database = database
        self.clock = clock
        self._ids = ids or Ids()
        self._first_delay = first_delay
        self.observer: Observer = Unobserved()

    async def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs a query function. Raises what it raises, and `Unavailable`."""
        return await self.database.read(lambda connection: work(connection, *args, **kwargs))

    async def write(
        self, work: Callable[Concatenate[Connection, Moment, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Runs a query function in a transaction and returns after its commit. Raises what it raises, and
        `Unavailable`."""
        return await self.database.write(lambda connection: work(connection, self._moment(), *args, **kwargs))

    async def write_apart(
        self, size: int, work: Callable[Concatenate[Connection, Moment, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """As `write`, of something that another process may do where there is one: `work` is a function of a module,
        what it takes and returns can be pickled, and it may be done twice. `size` is how many things it deals with."""
        return await self.database.write(Call(size, work, args, kwargs, self._moment))

    def observe(self, observer: Observer) -> None:
        """Tells `observer` of every commit and batch from now on."""
        self.observer = self.database.observer = observer

    async def close(self) -> None:
        """Finishes what was accepted and closes the database."""
        await self.database.close()

    def _moment(self) -> Moment:
        return Moment(self.clock(), self._ids, self._first_delay)


async def open_database(url: str) -> Database:
    """Opens `sqlite:///path` or `postgresql://…`. Raises `CannotOpen`."""
    try:
        address = make_url(url)
    except Exception:
        raise CannotOpen(
            "POSTBACK_DATABASE_URL is not a URL; write sqlite:///path or postgresql://user@host/name"
        ) from None
    match address.get_backend_name():
        case "sqlite" if address.database and address.database != ":memory:":
            return await SqliteDatabase.open(Path(address.database))
        case "postgresql" | "postgres":
            return await PostgresDatabase.open(url)
    raise CannotOpen("POSTBACK_DATABASE_URL must be sqlite:///path or postgresql://user@host/name")
