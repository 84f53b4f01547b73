from collections.abc import AsyncIterator, Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from builders import FakeClock

from ledger.ledger import Ledger, open_database
from receiver.egress import Egress
from receiver.storage import Folder

from .host import Host, hosting
from .works import Works


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def ledger(anyio_backend: str, migrated: None, database_url: str, clock: FakeClock) -> AsyncIterator[Ledger]:
    """A ledger on an empty database of each kind."""
    database = await open_database(database_url)
    opened = Ledger(database, clock=clock)
    yield opened
    await opened.close()


@pytest.fixture
async def lite(anyio_backend: str, migrated: None, sqlite_url: str, clock: FakeClock) -> AsyncIterator[Ledger]:
    """A ledger on SQLite only, for what the database has no part in."""
    database = await open_database(sqlite_url)
    opened = Ledger(database, clock=clock)
    yield opened
    await opened.close()


@pytest.fixture
async def host(anyio_backend: str) -> AsyncIterator[Host]:
    async with hosting() as host:
        yield host


@pytest.fixture
async def egress(anyio_backend: str) -> AsyncIterator[Egress]:
    """A door through which this machine can be reached."""
    egress = Egress([ip_network("127.0.0.0/8")], 5_000, connections=8)
    yield egress
    await egress.close()


@pytest.fixture
def works(lite: Ledger, clock: FakeClock, egress: Egress, tmp_path: Path) -> Callable[..., Works]:
    """Makes an archiver that keeps images in a folder."""

    def make(**changes: Any) -> Works:
        folder = tmp_path / "artifacts"
        storage = changes.pop("storage", None) or Folder(folder)
        return Works(lite, clock, changes.pop("egress", egress), storage, folder, **changes)

    return make
