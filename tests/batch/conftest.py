from collections.abc import AsyncIterator

import pytest

from ledger.ledger import Ledger, open_database
from tests.api.conftest import both, stage
from tests.cli.conftest import cli, home, served, stub
from tests.dispatcher.stage import Stage as Dispatcher
from tests.dispatcher.virtual import Time
from tests.ledger.conftest import clock, ledger, pair

__all__ = ["both", "cli", "clock", "home", "ledger", "pair", "served", "stage", "stub"]


@pytest.fixture
async def dispatcher(anyio_backend: str, migrated: None, database_url: str) -> AsyncIterator[Dispatcher]:
    """Everything between a queued job and its result, in virtual time, once on each kind of database."""
    time = Time()
    database = await open_database(database_url)
    opened = Ledger(database, clock=time)
    dispatcher = Dispatcher(opened, time)
    yield dispatcher
    await dispatcher.close()
    await opened.close()
    assert dispatcher.crew.failures == []
