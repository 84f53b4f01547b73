"""A stage as the API's tests have it, and a browser that signed in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2 as httpx
import pytest

from tests.api.conftest import both, stage
from tests.api.stage import API_KEY, BASE, Stage

__all__ = ["both", "stage"]

HEADERS = {"accept": "text/html", "sec-fetch-site": "same-origin"}


@asynccontextmanager
async def browser_at(stage: Stage, key: str = API_KEY) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that signed in with a key; what it sends comes from a page of ours. It follows no redirect."""
    transport = httpx.ASGITransport(stage.app)
    async with httpx.AsyncClient(transport=transport, base_url=BASE, headers=HEADERS) as client:
        answer = await client.post("/sign-in", data={"key": key})
        assert answer.status_code == 303, answer.text
        yield client


@pytest.fixture
async def browser(stage: Stage) -> AsyncIterator[httpx.AsyncClient]:
    """A browser at `stage`, signed in with the configured key."""
    async with browser_at(stage) as client:
        yield client
