from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .stage import Stage, served, settings


@pytest.fixture
async def stage(anyio_backend: str, migrated: None, tmp_path: Path, sqlite_url: str) -> AsyncIterator[Stage]:
    """API and receiver on SQLite; nothing sends."""
    async with served(settings(tmp_path, sqlite_url)) as stage:
        yield stage


@pytest.fixture
async def both(anyio_backend: str, migrated: None, tmp_path: Path, database_url: str) -> AsyncIterator[Stage]:
    """As `stage`, once on each kind of database."""
    async with served(settings(tmp_path, database_url)) as stage:
        yield stage
