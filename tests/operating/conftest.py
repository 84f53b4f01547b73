from collections.abc import Iterator

import pytest
from e2e.wire import Stage

from tests.api.conftest import both, stage
from tests.ledger.conftest import clock, ledger, pair

__all__ = ["both", "clock", "ledger", "pair", "stage"]


@pytest.fixture(scope="session")
def wires() -> Iterator[Stage]:
    """Where the stand-ins live."""
    wires = Stage()
    yield wires
    wires.close()
