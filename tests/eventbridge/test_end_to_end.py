"""Postback with all its loops, and the simulator pushing: a job costs one query."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

import anyio
import httpx2 as httpx
import pytest

from dispatcher.client import ProviderClient
from ledger import jobs, pushes
from ledger.clock import SECOND, system_now
from ledger.job import Job
from postback.app import create_app
from postback.dispatching import PUSHED_POLL
from postback.house import ROLES, House, open_house
from postback.settings import Settings
from postback.simulator.app import create_app as simulate
from postback.simulator.eventbridge import CERTIFICATE_PATH, Rule
from postback.simulator.world import World
from providers import PROVIDERS
from providers.protocol import Account

from .signer import TOKEN
from .stage import PATH

pytestmark = pytest.mark.anyio

T = TypeVar("T")

WITHIN = 15
SIMULATOR = "http://simulator.test"
ACCOUNT = Account(f"{SIMULATOR}/dashscope/api/v1", "sk-anything")
PUBLIC_URL = "https://hooks.example.com"
RULE = Rule(PUBLIC_URL + PATH, TOKEN)


@dataclass(frozen=True)
class Town:
    """Postback, its user, and the simulator with its rule."""

    house: House
    world: World
    user: httpx.AsyncClient

    async def submit(self, prompt: str) -> Job:
        """A job that the simulator has taken."""
        order = {"model": "flux-schnell", "input": {"prompt": prompt}}
        job_id = (await self.user.post("/v1/jobs", json=order)).json()["id"]
        return await self.until(job_id, lambda job: job.task_id is not None)

    async def until(self, job_id: str, holds: Callable[[Job], bool]) -> Job:
        """The job as soon as that holds."""

        async def look() -> Job | None:
            job = await self.house.ledger.read(jobs.get, job_id)
            return job if holds(job) else None

        return await eventually(look)

    async def pushed(self, job: Job, times: int = 1) -> list[int | str]:
        """How so many events of a job were answered."""

        async def look() -> list[int | str] | None:
            answers = self.world.stats.callbacks.get(job.task_id or "", [])
            return answers if len(answers) == times else None

        return await eventually(look)

    def queries(self, job: Job) -> int:
        return self.world.stats.fetches[job.task_id or ""]


async def eventually(look: Callable[[], Awaitable[T | None]]) -> T:
    """What there is to see, as soon as there is something."""
    with anyio.fail_after(WITHIN):
        while (seen := await look()) is None:
            await anyio.sleep(0.01)
    return seen


@asynccontextmanager
async def town(settings: Settings, rule: Rule = RULE) -> AsyncIterator[Town]:
    world = World(delay=0.2, jitter=0.0)

    async def deliver(request: httpx.Request) -> httpx.Response:
        return await httpx.ASGITransport(app).handle_async_request(request)

    async def fetch(url: str) -> bytes:
        assert url == rule.certificate_url
        async with httpx.AsyncClient(transport=httpx.ASGITransport(simulator), base_url=SIMULATOR) as client:
            return (await client.get(CERTIFICATE_PATH)).content

    simulator = simulate(world, httpx.MockTransport(deliver), rule=rule)
    house = await open_house(settings, ROLES, clock=system_now, fetch=fetch)
    transport = httpx.ASGITransport(simulator)
    house.clients = {"dashscope": ProviderClient(PROVIDERS["dashscope"], ACCOUNT, house.tokens.blank, transport)}
    app = create_app(house)
    key = {"authorization": f"Bearer {house.api_key}"}
    async with simulator.router.lifespan_context(simulator), app.router.lifespan_context(app):
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://postback.test", headers=key
        ) as user:
            yield Town(house, world, user)


@pytest.mark.parametrize(
    ("prompt", "status", "events"),
    [("a lighthouse", "succeeded", 1), ("a lighthouse [fail]", "failed", 1), ("灯塔 [duplicate=3]", "succeeded", 3)],
)
async def test_a_job_costs_one_query(settings: Callable[..., Settings], prompt: str, status: str, events: int) -> None:
    async with town(settings(public_url=PUBLIC_URL)) as here:
        job = await here.submit(prompt)
        job = await here.until(job.id, lambda job: job.final)
        assert await here.pushed(job, events) == [200] * events
        assert job.status == status
        assert here.queries(job) == 1
        lines = (await here.user.get(f"/v1/jobs/{job.id}/timeline")).json()["data"]
        assert [line["type"] for line in lines].count("pushed") == 1


async def test_without_its_event_a_job_is_asked_about_late(settings: Callable[..., Settings]) -> None:
    async with town(settings(public_url=PUBLIC_URL)) as here:
        job = await here.submit("a lighthouse [nocallback]")
        assert PUSHED_POLL - 5 * SECOND < (job.due_at or 0) - system_now() <= PUSHED_POLL
        assert here.queries(job) == 0


async def test_a_job_that_was_asked_about_too_early_is_not_asked_often(settings: Callable[..., Settings]) -> None:
    async with town(settings(public_url=PUBLIC_URL)) as here:
        job = await here.submit("a lighthouse [delay=1h]")
        assert await here.house.ledger.write(pushes.wake, "dashscope", [job.task_id or ""]) == 1
        here.house.wake("poller")
        job = await here.until(job.id, lambda job: job.polls == 1)
        assert PUSHED_POLL - 5 * SECOND < (job.due_at or 0) - system_now() <= PUSHED_POLL
        assert here.queries(job) == 1


@pytest.mark.parametrize(
    "rule",
    [replace(RULE, token="wrong"), replace(RULE, url=RULE.url.replace("https", "http")), replace(RULE, region="evil")],
    ids=["token", "target", "certificate"],
)
async def test_a_rule_that_is_set_up_wrongly_is_refused(settings: Callable[..., Settings], rule: Rule) -> None:
    async with town(settings(public_url=PUBLIC_URL), rule) as here:
        job = await here.submit("a lighthouse")
        assert await here.pushed(job) == [403]
        assert (await here.until(job.id, lambda job: True)).status == "pending"
        assert here.queries(job) == 0
