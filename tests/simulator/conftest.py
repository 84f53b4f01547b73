"""The simulator in this process, with a clock that only sleeping moves, and as a real server in a thread."""

import threading
from collections.abc import AsyncIterator, Iterator
from random import Random

import httpx2 as httpx
import pytest
import uvicorn

from postback.simulator import serve
from postback.simulator.app import create_app
from postback.simulator.world import World

from .stage import BASE, KEY, Catcher, Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(clock: Clock) -> World:
    return World(now=clock.now, sleep=clock.sleep, random=Random(7), delay=2.0, jitter=0.0)


@pytest.fixture
def catcher(clock: Clock) -> Catcher:
    return Catcher(clock)


@pytest.fixture
async def client(world: World, catcher: Catcher) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(world, httpx.MockTransport(catcher.receive))
    async with app.router.lifespan_context(app):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE, headers=KEY) as client:
            yield client


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The base URL of a real server whose jobs take no time."""
    with serve.listen("127.0.0.1", 0) as listening:
        server = uvicorn.Server(serve.config(World(delay=0.0, jitter=0.0)))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield serve.url(listening)
        server.should_exit = True
        thread.join(timeout=10)
        assert not thread.is_alive()
