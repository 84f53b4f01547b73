from collections.abc import AsyncIterator

import pytest

from ledger.ledger import Ledger, open_database

from .stage import Stage
from .virtual import Time


@pytest.fixture
async def time(anyio_backend: str) -> Time:
    return Time()


@pytest.fixture
async def ledger(migrated: None, sqlite_url: str, time: Time) -> AsyncIterator[Ledger]:
    database = await open_database(sqlite_url)
    opened = Ledger(database, clock=time)
    yield opened
    await opened.close()


@pytest.fixture
async def stage(ledger: Ledger, time: Time) -> AsyncIterator[Stage]:
    """Everything between a queued job and its result. Work that failed unexpectedly fails the test."""
    stage = Stage(ledger, time)
    yield stage
    await stage.close()
    assert stage.crew.failures == []
