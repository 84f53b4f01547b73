"""The folder of a demo: its database, keys and log. A temporary one goes away when all went well."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from ledger.errors import CannotOpen
from postback.setting_types import sqlite_url


@dataclass
class Home:
    """Where the demo keeps its things. `kept` says whether the folder stays when it has ended."""

    path: Path
    log: TextIO
    kept: bool

    @property
    def database_url(self) -> str:
        """A database of the demo's own, so that a home which is in earnest use comes to no harm."""
        return sqlite_url(self.path / "demo.sqlite3")


@contextlib.contextmanager
def open_home(told: Path | None) -> Iterator[Home]:
    """The folder that was asked for, or else a new temporary one, which an error leaves there. Raises `CannotOpen`."""
    try:
        path = told.expanduser().absolute() if told else Path(tempfile.mkdtemp(prefix="postback-demo-"))
        path.mkdir(parents=True, exist_ok=True)
        log = (path / "demo.log").open("a", encoding="utf-8")
    except OSError as error:
        raise CannotOpen(
            f"cannot write to {error.filename or 'a temporary folder'}: {error.strerror}. "
            "Choose a folder you own with --home"
        ) from None
    home = Home(path, log, kept=told is not None)
    with log:
        yield home
    if not home.kept:
        shutil.rmtree(path, ignore_errors=True)
