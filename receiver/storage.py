"""Where artifacts are kept: a folder, or a bucket (`receiver/bucket.py`). What is kept has its artifact's id as name.

A file is written as a draft first and kept when it is complete, so nobody is ever served half of one.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Protocol

from ledger.errors import LedgerError

CHUNK = 256 * 1024


class BadPlace(LedgerError):
    """POSTBACK_ARTIFACTS cannot be used as it is. The message says what to do."""


class StorageError(Exception):
    """It could not be written, read or deleted now. The message is for a person."""


class Missing(StorageError):
    """There is no file of that name."""


class Storage(Protocol):
    """One place. Its methods raise `StorageError`."""

    drafts: Path
    """The folder for drafts, on the same disk as what is kept if that is on a disk. Made when it is first needed."""

    async def keep(self, draft: Path, name: str, media_type: str) -> None:
        """Keeps a complete draft under that name, in place of what had it; returns when it will outlast a crash.

        The draft may be gone then; if it is not, it is the caller's to delete.
        """

    async def open(self, name: str) -> AsyncIterator[bytes]:
        """The file's bytes. Raises `Missing` before the first of them."""

    async def delete(self, name: str) -> None:
        """Deletes the file of that name, if there is one."""


class Folder:
    """Artifacts as files, spread over subfolders by the last two characters of their ids, which are random."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.drafts = folder / "drafts"

    async def keep(self, draft: Path, name: str, media_type: str) -> None:
        with _explained("written"):
            await asyncio.to_thread(_keep, draft, self._path(name))

    async def open(self, name: str) -> AsyncIterator[bytes]:
        with _explained("read"):
            file = await asyncio.to_thread(self._path(name).open, "rb")

        async def chunks() -> AsyncIterator[bytes]:
            with file, _explained("read"):
                while chunk := await asyncio.to_thread(file.read, CHUNK):
                    yield chunk

        return chunks()

    async def delete(self, name: str) -> None:
        with _explained("deleted"):
            await asyncio.to_thread(self._path(name).unlink, missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / name[-2:] / name


def _keep(draft: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    _sync(draft)
    draft.replace(path)
    _sync(path.parent)
    _sync(path.parent.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _explained(what: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise Missing("there is no such file") from None
    except OSError as error:
        raise StorageError(f"the artifact folder cannot be {what}: {error.strerror or error}") from None
