"""What SQLite commits together: pieces of work, each undone alone where it fails."""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from ledger.database import Work
from ledger.errors import Damaged, NeedsSavepoint, Unavailable

T = TypeVar("T")


class Unit(Generic[T]):
    """One piece of work that waits for its commit. Made on the event loop, and run on the writer's thread."""

    def __init__(self, work: Work[T]) -> None:
        self.work = work
        self.done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._result: T | None = None
        self._error: Exception | None = None

    def run(self, connection: Connection) -> None:
        """Runs it as a part of a transaction. Raises what the work raises."""
        self._result = self.work(connection)

    def run_apart(self, connection: Connection) -> None:
        """Runs it beside others: if it fails, it is rolled back to its own savepoint."""
        savepoint = connection.begin_nested()
        try:
            self.run(connection)
            savepoint.commit()
        except Exception as error:
            if _spoils_the_group(error):
                raise
            try:
                savepoint.rollback()
            except SQLAlchemyError:
                raise Unavailable("SQLite gave up the transaction; is the disk full?") from error
            self.undone(error)

    def undone(self, error: Exception) -> None:
        """It raised this, and was rolled back."""
        self._error = error

    def finish(self) -> None:
        """After the commit: tells whoever still waits."""
        if self._error is not None:
            self.fail(self._error)
        elif not self.done.done():
            self.done.set_result(self._result)  # type: ignore[arg-type]

    def finish_with(self, result: T) -> None:
        """It was done elsewhere, and this came of it."""
        self._result = result
        self.finish()

    def fail(self, error: Exception) -> None:
        """Nothing of it was kept."""
        if not self.done.done():
            self.done.set_exception(error)


class _Undone(Exception):
    """Rolls a transaction back in which a piece of work failed."""


def run_all(engine: Engine, units: Sequence[Unit[Any]]) -> None:
    """One transaction for all. Raises what failed for all of them: SQLAlchemy's errors, and `Unavailable`."""
    # Nearly always all goes well, and then savepoints would be a third of the statements.
    error = _run_together(engine, units)
    if error is None:
        return
    if len(units) == 1 and not isinstance(error, NeedsSavepoint):
        units[0].undone(error)
        return
    with engine.begin() as connection:
        for unit in units:
            unit.run_apart(connection)


def _run_together(engine: Engine, units: Sequence[Unit[Any]]) -> Exception | None:
    """Without savepoints. The error of the first that fails: then nothing of any is kept."""
    failed: Exception | None = None
    with suppress(_Undone), engine.begin() as connection:
        try:
            for unit in units:
                unit.run(connection)
        except Exception as error:
            if _spoils_the_group(error):
                raise
            failed = error
            raise _Undone from None
    return failed


def reason(error: BaseException) -> str:
    """What SQLite says of an error, without what a row holds."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    said = str(cause) or type(cause).__name__
    # It goes on with what the row holds.
    return str(Damaged()) if said.startswith("Could not decode to UTF-8") else said


def _spoils_the_group(error: Exception) -> bool:
    """Whether SQLite itself failed (disk full, I/O error, read-only, locked), and not just this piece of work."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in (
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
    )
