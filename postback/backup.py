"""Copies of a SQLite database: taken while it is in use, of one moment, and checked before they are called good."""

import contextlib
import hashlib
import os
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import make_url

from ledger.errors import CannotOpen, Refused, Unavailable
from ledger.filelock import FileLock
from postback.settings import Settings

STEP = 1_024
"""Pages copied at once, before it is asked whether anybody still wants the copy."""

CHECK_EVERY = 1_000_000
"""SQLite's own instructions between two such questions while the copy is checked."""

SPARE = 16 * 1024 * 1024
"""Bytes that must stay free beside the copy: a full disk would stop the server."""


class CannotBackUp(Unavailable):
    """There is no good copy. The message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Copy:
    """An open file that has no name any more: it is gone when it is closed, or its process dies."""

    file: BinaryIO
    size: int
    sha256: bytes


def file_of(settings: Settings) -> Path | None:
    """Where the SQLite database is; None on PostgreSQL."""
    address = make_url(settings.database_url)
    return Path(address.database or "") if address.get_backend_name() == "sqlite" else None


def make(database: Path, folder: Path, given_up: Callable[[], bool]) -> Copy:
    """Copies a database that this process serves, by way of a file in `folder`. Blocks.

    Raises `CannotBackUp`, and `Refused` while another copy is being made.
    """
    try:
        lock = FileLock.take(folder / "backup.lock")
    except OSError as error:
        raise CannotBackUp(f"cannot write to {folder}: {error.strerror}") from None
    if lock is None:
        raise Refused("another backup is being made; wait until it is done")
    part = folder / "backup.part"
    try:
        part.unlink(missing_ok=True)  # of a process that was killed
        copy(database, part, given_up=given_up)
        file = part.open("rb")
        part.unlink()
    except OSError as error:
        raise CannotBackUp(f"the copy could not be read again: {error.strerror}") from None
    finally:
        lock.release()
    digest = hashlib.file_digest(file, "sha256").digest()
    size = file.tell()
    file.seek(0)
    return Copy(file, size, digest)


def copy_unserved(database: Path, target: Path) -> None:
    """Copies a database that no process serves. Raises `CannotBackUp`."""
    if not database.exists():
        raise CannotBackUp(f"there is no database {database}: is POSTBACK_HOME right?")
    try:
        lock = FileLock.of_database(database)
    except CannotOpen as refused:
        raise CannotBackUp(str(refused)) from None
    except OSError as error:
        raise CannotBackUp(f"cannot lock {database}: {error.strerror}") from None
    if lock is None:
        raise CannotBackUp(
            f"{database} is in use by another process. Set POSTBACK_URL to where that one answers, or stop it"
        )
    try:
        copy(database, target)
    finally:
        lock.release()


def copy(database: Path, target: Path, *, given_up: Callable[[], bool] = lambda: False) -> None:
    """Writes a new file, `target`, with the database as it is now, and checks it. Nobody waits meanwhile.

    Only for the process that has the database to itself. Raises `CannotBackUp`; then there is no such file.
    """
    made = False
    try:
        _need(_size(database), target.parent)
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        made = True
        _copy(database, target, given_up)
        check(target, given_up=given_up)
    except (sqlite3.Error, OSError, CannotBackUp) as error:
        if made:
            target.unlink(missing_ok=True)
        if isinstance(error, CannotBackUp):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise CannotBackUp(f"the database could not be copied to {target}: {reason}") from None


def check(file: Path, *, given_up: Callable[[], bool] = lambda: False) -> None:
    """Reads a whole copy and every index of it. Raises `CannotBackUp` where it is not good."""
    try:
        with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
            connection.set_progress_handler(given_up, CHECK_EVERY)
            found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
            empty = connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'jobs'").fetchone()[0] == 0
    except sqlite3.Error as error:
        found, empty = str(error), False
    if found != "ok":
        raise CannotBackUp(f"the copy is damaged ({found}), so the database is: look with postback doctor")
    if empty:
        raise CannotBackUp("the copy is not of a Postback database")


def _copy(database: Path, target: Path, given_up: Callable[[], bool]) -> None:
    def on_step(*_: int) -> None:
        if given_up():
            raise CannotBackUp("nobody waits for the copy any more")

    reading = sqlite3.connect(database, isolation_level=None, timeout=5)
    with contextlib.closing(reading), contextlib.closing(sqlite3.connect(target, isolation_level=None)) as writing:
        reading.execute("PRAGMA query_only = ON")
        # From here on it sees this one moment; without a transaction of its own it would begin anew at every write.
        reading.execute("BEGIN")
        reading.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        writing.execute("PRAGMA journal_mode = OFF")  # a copy that is not finished is thrown away
        reading.backup(writing, pages=STEP, progress=on_step, sleep=0)
        reading.execute("ROLLBACK")
        writing.execute("PRAGMA journal_mode = DELETE")  # one file, whole without a WAL beside it


def _size(database: Path) -> int:
    wal = database.with_name(database.name + "-wal")
    return sum(file.stat().st_size for file in (database, wal) if file.exists())


def _need(size: int, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < size + SPARE:
        raise CannotBackUp(
            f"the copy needs {_megabytes(size + SPARE)} MB in {folder}, and {_megabytes(free)} MB are free: make room"
        )


def _megabytes(size: int) -> int:
    return -(-size // 1_000_000)
