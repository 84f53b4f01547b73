"""`GET /v1/stream`: events as they happen, from any place, until one side ends it."""

import asyncio
import json
from typing import Any

import pytest
from builders import done

from ledger import notifications, stream
from ledger.errors import Unavailable
from ledger.events import EVENTS
from ledger.ledger import Ledger
from ledger.stream import Cursor
from postback.api import stream as api
from postback.news import News
from tests.api.stage import Stage, problem

from .happenings import open_ears, told
from .listening import Listening

pytestmark = pytest.mark.anyio


def others() -> set[asyncio.Task[Any]]:
    return asyncio.all_tasks() - {asyncio.current_task()}


async def test_events_come_as_they_happen(both: Stage) -> None:
    await open_ears(both.ledger)
    await told(both.ledger)
    async with Listening(both.app) as client:
        assert client.status == 200
        assert client.headers["content-type"].startswith("text/event-stream")
        assert client.headers["cache-control"] == "no-store"
        first = await told(both.ledger, 2)
        assert await client.count(2) == first
        second = await told(both.ledger)
        assert await client.count(3) == first + second
        event = client.events[-1]
        row = await both.ledger.read(notifications.get, second[0])
        assert event.event == "postback.ping"
        assert event.id == str(stream.place_of(row))
        assert event.data == await both.get(f"/v1/notifications/{second[0]}") == notifications.document(row)


async def test_a_callback_is_told_at_once(stage: Stage) -> None:
    async with Listening(stage.app) as client:
        job = await done(stage.ledger)
        stage.house.wake("forwarder")
        await client.count(1)
        assert (client.events[0].event, client.events[0].data["job_id"]) == ("job.succeeded", job.id)


async def test_a_client_that_was_cut_off_goes_on_right_behind_what_it_had(stage: Stage) -> None:
    await open_ears(stage.ledger)
    async with Listening(stage.app) as client:
        first = await told(stage.ledger, 3)
        await client.count(3)
        places = [event.id for event in client.events]
    later = await told(stage.ledger)
    for number, place in enumerate(places, 1):
        for given in ({"last_event_id": place}, {"query": {"after": place}}):
            async with Listening(stage.app, **given) as client:
                assert await client.count(4 - number) == first[number:] + later
    async with Listening(stage.app, last_event_id=places[-1], query={"after": places[0]}) as client:
        assert await client.count(1) == later, "a browser repeats the address; the header is newer"


async def test_a_client_that_was_cut_off_before_the_first_event_loses_nothing(stage: Stage) -> None:
    await open_ears(stage.ledger)
    async with Listening(stage.app) as client:
        await client.until(lambda: client.text.endswith("\n\n"))
        assert client.events == []
        assert client.text == f"retry: 1000\nid: {client.place}\n\n"
    written = await told(stage.ledger, 2)
    async with Listening(stage.app, last_event_id=client.place) as client:
        assert await client.count(2) == written


async def test_more_than_a_page_is_told_at_once(stage: Stage) -> None:
    await open_ears(stage.ledger)
    written = await told(stage.ledger, 250)
    async with Listening(stage.app, query={"after": "0"}) as client:
        assert await client.count(250) == written


async def test_only_the_wanted_events_come(stage: Stage) -> None:
    await open_ears(stage.ledger)
    async with Listening(stage.app, query={"events": "job.lost, delivery.*"}) as client:
        await told(stage.ledger, 2)
        wanted = await told(stage.ledger, 1, "job.lost")
        await told(stage.ledger, 1, "job.failed")
        wanted += await told(stage.ledger, 1, "delivery.dead")
        assert await client.count(2) == wanted


@pytest.mark.parametrize("query", [{"after": "x"}, {"after": "1.ntf_1"}, {"after": "9" * 18}, {"after": "9" * 30}])
async def test_a_bad_place_is_422(both: Stage, query: dict[str, str]) -> None:
    answer = await both.client.get("/v1/stream", params=query)
    assert problem(answer, 422, "invalid")["errors"][0]["parameter"] == "after"
    answer = await both.client.get("/v1/stream", headers={"Last-Event-ID": query["after"]})
    assert problem(answer, 422, "invalid")["errors"][0]["parameter"] == "Last-Event-ID"


@pytest.mark.parametrize("events", ["", "job", "job.succeeded,", "job.*,nothing", "*.*", "\x00"])
async def test_bad_events_are_422(stage: Stage, events: str) -> None:
    answer = await stage.client.get("/v1/stream", params={"events": events})
    (error,) = problem(answer, 422, "invalid")["errors"]
    assert error["parameter"] == "events"
    assert EVENTS[0] in error["detail"]


async def test_asking_for_the_headers_only_ends(stage: Stage) -> None:
    answer = await stage.client.head("/v1/stream")
    assert (answer.status_code, answer.text) == (200, "")
    assert answer.headers["content-type"].startswith("text/event-stream")


async def test_an_unavailable_database_is_503_before_the_stream_begins(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise Unavailable("the database is away")

    monkeypatch.setattr(stage.ledger.database, "read", away)
    problem(await stage.client.get("/v1/stream"), 503, "unavailable")


async def test_a_database_that_was_away_for_a_while_costs_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("postback.news.AWAY", 0.01)
    monkeypatch.setattr("postback.api.stream.AWAY", 0.01)
    await open_ears(stage.ledger)
    misses = 0

    async def away(*_: object) -> None:
        nonlocal misses
        misses += 1
        raise Unavailable("the database is away")

    async with Listening(stage.app) as client:
        with monkeypatch.context() as patch:
            patch.setattr(stage.ledger.database, "read", away)
            written = await told(stage.ledger)
            async with asyncio.timeout(10):
                while misses < 5:
                    await asyncio.sleep(0)
        assert await client.count(1) == written


async def test_a_client_that_leaves_leaves_nothing_behind(stage: Stage) -> None:
    before = others()
    for _ in range(3):
        async with Listening(stage.app) as one, Listening(stage.app) as other:
            await one.until(lambda one=one: one.text)
            await other.until(lambda other=other: other.text)
    stage.house.news.wake()  # else it looks once more before it finds that nobody waits
    async with asyncio.timeout(10):
        while others() - before or stage.house.news._reads:
            await asyncio.sleep(0)
    assert stage.house.news._waiting == {}


async def test_streams_end_by_themselves_when_the_house_closes(stage: Stage) -> None:
    async with Listening(stage.app) as idle, Listening(stage.app, query={"after": "0"}) as other:
        await idle.until(lambda: idle.text)
        stage.house.news.close()
        await idle.end()
        await other.end()
    async with Listening(stage.app) as late:
        await late.end()


async def test_many_listeners_cost_one_look(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads while 20 listeners wait, and for one piece of news, are those of one listener."""
    await open_ears(stage.ledger)
    reads: list[Any] = []
    read = Ledger.read

    async def counted(self: Ledger, work: Any, *args: Any) -> Any:
        reads.append(work)
        return await read(self, work, *args)

    clients = [Listening(stage.app) for _ in range(20)]
    for client in clients:
        await client.__aenter__()
    for client in clients:
        await client.until(lambda client=client: client.text)
    async with asyncio.timeout(10):
        while len(stage.house.news._waiting) < 20:
            await asyncio.sleep(0)
    monkeypatch.setattr(Ledger, "read", counted)
    written = await told(stage.ledger)
    for client in clients:
        assert await client.count(1) == written
    assert reads.count(stream.read) <= 2
    for client in clients:
        await client.__aexit__()


async def test_silence_is_broken_by_a_comment_that_moves_the_place(ledger: Ledger) -> None:
    await open_ears(ledger)
    now = 0.0
    news = News(ledger)
    text = api.told(news, Cursor(0), ("job.lost",), lambda: now)
    assert await anext(text) == "retry: 1000\nid: 0\n\n"
    await told(ledger, 3)
    end = await ledger.read(stream.now)

    async def pass_time() -> None:
        nonlocal now
        while not news._waiting:
            await asyncio.sleep(0)
        now = api.HEARTBEAT
        await told(ledger)
        news.wake()

    async with asyncio.timeout(10):
        said, _ = await asyncio.gather(anext(text), pass_time())
    assert said == f": still here\nid: {end}\n\n"
    lost = await told(ledger, 1, "job.lost")
    event = await anext(text)
    assert json.loads(event.split("data: ")[1])["id"] == lost[0]
    news.close()
    assert [one async for one in text] == []
    await news.drain()
