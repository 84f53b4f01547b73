from collections.abc import AsyncIterator

import pytest
from builders import FakeClock

from ledger.ledger import Ledger, open_database
from ledger.lifecycle import DELIVERY

STEPS = [f"'{status}>{to}'" for status, state in DELIVERY.items() for to in (status, *state.to)]
HOLD_TO_LIFECYCLE = f"""
CREATE TRIGGER lifecycle BEFORE UPDATE OF status ON deliveries
WHEN OLD.status || '>' || NEW.status NOT IN ({", ".join(STEPS)})
BEGIN SELECT RAISE(ABORT, 'the lifecycle of a delivery does not allow this'); END
"""
"""Jobs are held to theirs by `Job.moved`; deliveries move in SQL."""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def ledger(anyio_backend: str, migrated: None, database_url: str, clock: FakeClock) -> AsyncIterator[Ledger]:
    """A ledger with nothing in it."""
    database = await open_database(database_url)
    if database_url.startswith("sqlite"):
        await database.write(lambda connection: connection.exec_driver_sql(HOLD_TO_LIFECYCLE).close())
    opened = Ledger(database, clock=clock)
    yield opened
    await opened.close()


@pytest.fixture
async def pair(
    anyio_backend: str, migrated: None, postgres_url: str, clock: FakeClock
) -> AsyncIterator[tuple[Ledger, Ledger]]:
    """Two processes' ledgers on one PostgreSQL database."""
    one, other = await open_database(postgres_url), await open_database(postgres_url)
    yield Ledger(one, clock=clock), Ledger(other, clock=clock)
    await one.close()
    await other.close()
