"""`GET /live`: pages are told that something happened, and nothing else."""

from typing import Any

import httpx2 as httpx
import pytest
from builders import done

from ledger.errors import Unavailable
from postback.api.stream import HEARTBEAT, MEDIA
from postback.dashboard import live
from tests.api.stage import Stage

pytestmark = pytest.mark.anyio

CHANGED = "event: changed\ndata: \n\n"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "PAUSE", 0.01)


async def test_a_page_is_told_when_something_happens_and_not_otherwise(both: Stage) -> None:
    ticks = iter(range(10_000))
    told = live.told(both.house, clock=lambda: next(ticks) * HEARTBEAT / 5)
    assert (await anext(told)).startswith("retry: ")
    assert await anext(told) == CHANGED, "what happened since the page was drawn"
    assert await anext(told) == ": still here\n\n", "nothing happened for a while"
    await done(both.ledger)
    assert await anext(told) == CHANGED
    assert await anext(told) == ": still here\n\n"
    both.house.news.close()
    with pytest.raises(StopAsyncIteration):
        await anext(told)


async def test_a_database_that_cannot_be_read_ends_no_stream(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    told = live.told(stage.house)
    await anext(told)
    assert await anext(told) == CHANGED
    read, failures = stage.ledger.read, iter(range(3))

    async def read_soon(*args: Any) -> Any:
        if next(failures, None) is not None:
            raise Unavailable("gone for a moment")
        return await read(*args)

    await done(stage.ledger)
    monkeypatch.setattr(stage.ledger, "read", read_soon)
    assert await anext(told) == CHANGED
    assert next(failures, None) is None
    await told.aclose()


async def test_it_is_an_event_stream_that_nobody_keeps(browser: httpx.AsyncClient) -> None:
    answer = await browser.head("/live")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(MEDIA)
    assert answer.headers["cache-control"] == "no-store"
