"""What a browser looks at: the real program, a simulator of the providers, and an endpoint that webhooks go to."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from e2e.api import Api
from e2e.scene import FAST
from e2e.server import Server
from e2e.wire import Reply, Request, Stage, Wire

from postback.simulator import serve
from postback.simulator.app import environment
from postback.simulator.world import World

SETTINGS = FAST | {
    "POSTBACK_ARCHIVE": 1,
    "POSTBACK_RETRY_SCHEDULE": "0s,100ms",
    "DASHSCOPE_API_KEY": "any",
    "ACEDATA_API_TOKEN": "any",
}


class Endpoint:
    """Where webhooks go. It answers each path as `answers` says, any other with 204."""

    def __init__(self, stage: Stage) -> None:
        self.answers: dict[str, Reply] = {}
        self.received: list[Request] = []
        self.wire = Wire(stage, self._answer)

    def at(self, path: str) -> str:
        """The URL of a path."""
        return self.wire.url + path

    async def _answer(self, request: Request) -> Reply:
        self.received.append(request)
        return self.answers.get(request.path, Reply(204))


@dataclass(frozen=True)
class Place:
    """Everything that runs. `world` is what the simulator knows."""

    server: Server
    api: Api
    world: World
    endpoint: Endpoint

    @property
    def url(self) -> str:
        return self.server.url


@contextmanager
def opened(folder: Path, **settings: object) -> Iterator[Place]:
    """A place of its own. Nothing of it is left running afterwards."""
    stage, world = Stage(), World(delay=0.4, jitter=0.0)
    endpoint = Endpoint(stage)
    try:
        with _simulating(world) as simulator:
            server = Server(folder / "home", SETTINGS | environment(simulator) | settings)
            try:
                server.start()
                api = Api(server.url, server.key)
                with api.http:
                    yield Place(server, api, world, endpoint)
            finally:
                server.kill()
    finally:
        endpoint.wire.close()
        stage.close()


@contextmanager
def _simulating(world: World) -> Iterator[str]:
    with serve.listen("127.0.0.1", 0) as listening:
        server = uvicorn.Server(serve.config(world))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield serve.url(listening)
        finally:
            server.should_exit = True
            thread.join(10)
