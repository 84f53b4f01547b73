from collections.abc import Iterator

import pytest
from e2e.fresh import fresh_database
from e2e.scene import Scene, opened
from e2e.server import unexpected
from e2e.wire import Stage as Wires

from tests.api.conftest import both, stage
from tests.cli.conftest import cli, home, served, stub
from tests.ledger.conftest import clock, ledger, pair

__all__ = ["both", "cli", "clock", "home", "ledger", "pair", "served", "stage", "stub"]


@pytest.fixture(scope="session")
def wires() -> Iterator[Wires]:
    """Where the stand-ins of the running house live."""
    wires = Wires()
    yield wires
    wires.close()


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def house(request: pytest.FixtureRequest, wires: Wires, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A real server, once on each kind of database."""
    folder = tmp_path_factory.mktemp(f"targets-{request.param}")
    with fresh_database(request.param, folder, request) as url, opened(wires, folder, url) as scene:
        yield scene
        assert unexpected(scene.server.log) == []
