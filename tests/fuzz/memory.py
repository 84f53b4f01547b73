"""A ledger in memory, without threads, that is put back in no time."""

import sqlite3
from typing import TypeVar

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.pool import StaticPool

from ledger.database import Work
from ledger.schema import schema

T = TypeVar("T")


class Memory:
    """SQLite in memory as the ledger's `Database`: every call is one transaction, at once."""

    def __init__(self) -> None:
        engine = create_engine("sqlite://", poolclass=StaticPool)
        event.listen(engine, "connect", lambda raw, _: setattr(raw, "isolation_level", None))
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
        schema.create_all(engine)
        self._connection: Connection = engine.connect()
        raw = self._connection.connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)
        self._raw = raw

    def look(self) -> bytes:
        """All that it holds."""
        return self._raw.serialize()

    def put_back(self, looked: bytes) -> None:
        """Makes it hold that again."""
        self._raw.deserialize(looked)

    async def read(self, work: Work[T]) -> T:
        with self._connection.begin():
            return work(self._connection)

    write = read
    at_once = 1

    def wait(self) -> float:
        return 0.0

    async def migrate(self) -> None:
        """The tables are there."""

    async def version(self) -> tuple[str | None, str]:
        return "in memory", "in memory"

    async def close(self) -> None:
        self._connection.close()
