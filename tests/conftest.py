import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from databases import Postgres, PostgresUnavailable, migrate, postgres_server

SLOW_FIRST = (
    "torture",
    "scaling",
    "faults",
    "operating",
    "stream",
    "e2e",
    "simulation",
    "cancellation",
    "demo",
    "power",
    "verify",
    "browser",
    "examples",
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


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database with this version's tables, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "postback.sqlite3"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def migrated() -> None:
    """For a test that asks for it, the URLs below are of databases with this version's tables instead of empty ones."""


@pytest.fixture
def postgres_url(request: pytest.FixtureRequest, postgres: Postgres) -> Iterator[str]:
    """The `postgresql://` URL, without a driver, of an empty database of the test's own."""
    with postgres.migrated() if "migrated" in request.fixturenames else postgres.database() as url:
        yield url


@pytest.fixture
def sqlite_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The `sqlite:///` URL of a database of the test's own. Nothing has made the file yet."""
    path = tmp_path / "postback.sqlite3"
    if "migrated" in request.fixturenames:
        shutil.copy(request.getfixturevalue("migrated_file"), path)
    return f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Runs the test twice: on an empty database of each kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url
