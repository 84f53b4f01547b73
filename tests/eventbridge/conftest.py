from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from postback.settings import Settings, load

from .signer import TARGET, TOKEN
from .stage import PATH, Stage, served


@pytest.fixture
def settings(tmp_path: Path, sqlite_url: str) -> Callable[..., Settings]:
    """Settings of a receiver behind a proxy, with changes."""
    given: dict[str, Any] = {
        "home": tmp_path,
        "database_url": sqlite_url,
        "public_url": TARGET.removesuffix(PATH),
        "secret_keys": "a-secret-key-for-tests",
        "eventbridge_token": TOKEN,
    }
    return lambda **changes: load(**{**given, **changes})


@pytest.fixture
async def stage(anyio_backend: str, migrated: None, settings: Callable[..., Settings]) -> AsyncIterator[Stage]:
    async with served(settings()) as stage:
        yield stage
