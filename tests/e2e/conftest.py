import itertools
from collections.abc import Iterator

import pytest
from e2e.fresh import fresh_database
from e2e.scene import Hook, Scene, opened
from e2e.server import unexpected
from e2e.wire import Stage

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    """Where the stand-ins live."""
    stage = Stage()
    yield stage
    stage.close()


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def house(request: pytest.FixtureRequest, stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One house for each database, shared by all tests that need none of their own."""
    folder = tmp_path_factory.mktemp(f"house-{request.param}")
    with fresh_database(request.param, folder, request) as url, opened(stage, folder, url) as scene:
        yield scene
        assert unexpected(scene.server.log) == []


@pytest.fixture
def hook(house: Scene) -> Iterator[Hook]:
    """A subscriber to everything, of this test's own."""
    hook = house.subscribe()
    yield hook
    house.api("DELETE", f"/subscribers/{hook.id}", expect=204)


@pytest.fixture
def prompt() -> str:
    """A prompt that no other test uses."""
    return f"奔跑小猫 {next(_numbers)}"
