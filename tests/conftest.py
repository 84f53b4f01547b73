import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from databases import Postgres, PostgresUnavailable, postgres_server

SLOW_FIRST = (
    "torture",
    "faults",
    "operating",
    "stream",
    "e2e",
    "simulation",
    "cancellation",
    "demo",
    "power",
    "verify",
)
"""Folders whose files wait long for real processes: begun last, they would leave all but one worker idle at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not any(folder in item.path.parts for folder in SLOW_FIRST))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL server, started by the first test that asks for it."""
    try:
        with postgres_server() as server:
            yield server
    except PostgresUnavailable as error:
        reason = f"PostgreSQL cannot run here: {error}"
        if os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """The `postgresql://` URL, without a driver, of an empty database of the test's own."""
    with postgres.database() as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The `sqlite:///` URL of a database of the test's own. Nothing has made the file yet."""
    return f"sqlite:///{tmp_path}/postback.sqlite3"


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Runs the test twice: on an empty database of each kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url
