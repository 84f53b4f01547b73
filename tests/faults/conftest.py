from collections.abc import Iterator

import pytest
from e2e.wire import Stage

from tests.ledger.conftest import clock, ledger

__all__ = ["clock", "ledger"]


@pytest.fixture(scope="session")
def wires() -> Iterator[Stage]:
    """Where the stand-ins live."""
    wires = Stage()
    yield wires
    wires.close()
