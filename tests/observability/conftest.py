from collections.abc import Iterator

import pytest
from e2e.scene import Scene, opened
from e2e.wire import Stage

from tests.api.conftest import both, stage
from tests.ledger.conftest import clock, ledger, pair

from .collector import Collector

__all__ = ["both", "clock", "ledger", "pair", "stage"]


@pytest.fixture(scope="session")
def wires() -> Iterator[Stage]:
    """Where the stand-ins live."""
    wires = Stage()
    yield wires
    wires.close()


@pytest.fixture(scope="module")
def collector(wires: Stage) -> Iterator[Collector]:
    collector = Collector(wires)
    yield collector
    collector.wire.close()


@pytest.fixture(scope="module")
def watched(wires: Stage, collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A running house that sends its spans to the collector."""
    folder = tmp_path_factory.mktemp("watched")
    sent_to = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.wire.url, "OTEL_BSP_SCHEDULE_DELAY": 100}
    with opened(wires, folder, f"sqlite:///{folder}/postback.sqlite3", **sent_to) as scene:
        yield scene
