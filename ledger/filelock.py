"""One process for each SQLite file, held by a lock that the system lets go when the process dies."""

import os
from pathlib import Path

from ledger.errors import CannotOpen

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None  # type: ignore[assignment]


class FileLock:
    """An advisory lock on a file of its own beside the database."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        """Whoever inherits it holds the lock, too."""

    @classmethod
    def take(cls, path: Path) -> "FileLock | None":
        """The lock, or None when another process has it. Raises OSError when the file cannot be made."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        if fcntl is not None:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return None
        return cls(descriptor)

    @classmethod
    def of_database(cls, path: Path) -> "FileLock | None":
        """The lock of a SQLite file, by whichever name it is called. Raises `CannotOpen` where not even that can tell,
        and OSError."""
        there = path.resolve()
        if there.exists() and there.stat().st_nlink > 1:
            raise CannotOpen(
                f"{path} has {there.stat().st_nlink} names (hard links), under which two processes could open it "
                "unseen: remove the others, or copy the file"
            )
        return cls.take(there.with_name(there.name + ".lock"))

    def release(self) -> None:
        """Lets others have it."""
        os.close(self.descriptor)
