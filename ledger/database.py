"""The seam between the ledger's SQL and an engine.

Work is an ordinary function of a SQLAlchemy `Connection`: it sends statements and returns. An engine decides where
and in which transaction it runs, so the same functions serve SQLite, PostgreSQL and a test without threads.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from ledger.observer import Observer

T = TypeVar("T")
Work = Callable[[Connection], T]


class Database(Protocol):
    """One database. Every call is one transaction, or part of one that commits as a whole."""

    observer: Observer
    """Is told of every commit."""

    @property
    def at_once(self) -> int:
        """How many large writes of one kind are worth having under way at once."""

    async def read(self, work: Work[T]) -> T:
        """Runs work that only reads, on a consistent snapshot. Raises `Unavailable`."""

    async def write(self, work: Work[T]) -> T:
        """Runs work and returns after its commit. Cancelling the caller never cancels the transaction.

        Work that raises is rolled back alone and its exception passed on. Raises `Unavailable` and `Overloaded`.
        """

    async def migrate(self) -> None:
        """Brings the schema to this version. Raises `CannotOpen` for a database from a newer one."""

    async def version(self) -> tuple[str | None, str]:
        """The database's schema revision, None where there is none, and the one this version needs."""

    async def close(self) -> None:
        """Finishes what was accepted, then lets go of the database."""
