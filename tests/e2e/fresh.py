"""Databases for fixtures that live longer than one test."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from databases import Postgres


@contextmanager
def fresh_database(kind: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an empty database, `sqlite` in that folder or `postgres`."""
    if kind == "sqlite":
        yield f"sqlite:///{folder}/postback.sqlite3"
        return
    postgres: Postgres = request.getfixturevalue("postgres")
    with postgres.database() as url:
        yield url
