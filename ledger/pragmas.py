"""How SQLite is used: a connection that writes, and what its transactions begin with."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import StaticPool

WRITING: Sequence[str] = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA fullfsync = ON",
    "PRAGMA busy_timeout = 5000",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA journal_size_limit = 67108864",  # else a WAL that grew once stays that large
    "PRAGMA secure_delete = ON",  # what is erased is gone from the file too
    "PRAGMA cache_size = -32768",
)
READING: Sequence[str] = ("PRAGMA busy_timeout = 5000", "PRAGMA query_only = ON")


def writing_engine(path: Path) -> Engine:
    """One connection that writes."""
    # It is opened, used and closed on the writer's thread, but closed by the garbage collector on any.
    address = URL.create("sqlite+pysqlite", database=str(path))
    engine = create_engine(address, poolclass=StaticPool, connect_args={"check_same_thread": False})
    configure(engine, WRITING, "BEGIN IMMEDIATE")
    return engine


def configure(engine: Engine, pragmas: Sequence[str], begins: str) -> None:
    """Has each connection say the pragmas first, and begin its transactions so."""

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions begin where we say so, not where the driver guesses
        cursor = connection.cursor()
        try:
            for pragma in pragmas:
                cursor.execute(pragma)
        except sqlite3.Error:
            connection.close()  # nobody else knows it yet, and aiosqlite's thread would outlive us
            raise
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(begins)
