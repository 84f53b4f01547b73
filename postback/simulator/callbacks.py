"""The POSTs that AceData sends when a job has finished: unsigned, each once, never repeated on failure."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx2 as httpx

from postback.simulator import acedata_bodies as bodies
from postback.simulator.task import Task
from postback.simulator.world import World
from providers import jsontext

_MOST_WAITING = 10_000
_MOST_AT_ONCE = 64
_TIMEOUT = 15.0


class Callbacks:
    """Sends callbacks while `running`; those that still wait when that ends are dropped.

    `transport` replaces the network in tests.
    """

    def __init__(self, world: World, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._world = world
        self._transport = transport
        self._waiting: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(_MOST_AT_ONCE)

    @property
    def full(self) -> bool:
        """Whether no further callback can be scheduled for now."""
        return len(self._waiting) >= _MOST_WAITING

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        client = httpx.AsyncClient(transport=self._transport, trust_env=False, timeout=_TIMEOUT)
        async with client as self._client, asyncio.TaskGroup() as self._group:
            yield
            for waiting in self._waiting:
                waiting.cancel()

    def schedule(self, task: Task, url: str) -> None:
        """Sends the task's callbacks once it has finished, in the background."""
        waiting = self._group.create_task(self._wait_and_send(task, url))
        self._waiting.add(waiting)
        waiting.add_done_callback(self._waiting.discard)

    async def send(self, task: Task, url: str) -> None:
        """Sends what the task's script asks for, one after the other."""
        said = [bodies.result(task)] * task.script.duplicate
        if task.script.conflict:
            said.append(bodies.opposite(task))
        for body in said:
            await self._post(task, url, jsontext.dumps(body), {"content-type": "application/json"})

    async def _wait_and_send(self, task: Task, url: str) -> None:
        await self._world.sleep(task.finished_at + task.script.late - self._world.now())
        await self.send(task, url)

    async def _post(self, task: Task, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        answer: int | str
        async with self._slots:
            try:
                answer = (await self._client.post(url, content=body, headers=headers)).status_code
            except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as error:
                answer = type(error).__name__
        self._world.stats.callbacks[task.id].append(answer)
