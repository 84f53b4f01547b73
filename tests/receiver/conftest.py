from collections.abc import AsyncIterator

import pytest

from ledger.ledger import Ledger, open_database
from tests.dispatcher.broken import Broken
from tests.dispatcher.virtual import Time

from .office import Office


@pytest.fixture
async def office(anyio_backend: str, migrated: None, sqlite_url: str) -> AsyncIterator[Office]:
    time = Time()
    database = Broken(await open_database(sqlite_url))
    office = Office(Ledger(database, clock=time), database, time)
    yield office
    await office.crew.die()
    await office.ledger.close()
    assert office.crew.failures == []
