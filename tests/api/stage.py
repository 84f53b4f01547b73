"""One process of Postback, served in this process, with a clock that only the test moves."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2 as httpx
from builders import FakeClock, subscribed
from starlette.applications import Starlette

from ledger.clock import SECOND, Clock
from ledger.job import Job
from ledger.keys import SecretKeys
from ledger.ledger import Ledger
from postback.app import create_app
from postback.house import House, open_house
from postback.settings import Settings, load

BASE = "http://postback.test"
API_KEY = "an-api-key-for-tests"
SECRET_KEYS = "a-secret-key-for-tests"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwAAAAAAAA"
ORDER = {"model": "flux-schnell", "input": {"prompt": "an eagle over the sea"}}
FRONT = frozenset({"api", "receiver"})


class Hurrying(FakeClock):
    """Ten seconds pass between two looks."""

    def __call__(self) -> int:
        self.advance(10 * SECOND)
        return self.now


@dataclass(frozen=True)
class Stage:
    """`client` has the API key; `anyone` has none, as a provider has none."""

    house: House
    app: Starlette
    client: httpx.AsyncClient
    anyone: httpx.AsyncClient
    clock: FakeClock

    @property
    def ledger(self) -> Ledger:
        return self.house.ledger

    async def get(self, path: str, **query: Any) -> Any:
        """The document at an address that must be there."""
        answer = await self.client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def ids(self, path: str, **query: Any) -> list[str]:
        """The ids in a list, as listed."""
        return [item["id"] for item in (await self.get(path, **query))["data"]]

    async def submit(self, headers: Mapping[str, str] | None = None, **changes: Any) -> Any:
        """A new job."""
        answer = await self.client.post("/v1/jobs", json=ORDER | changes, headers=dict(headers or {}))
        assert answer.status_code == 202, answer.text
        return answer.json()

    async def subscribe(self, **changes: Any) -> Any:
        """A new subscriber, with its secret."""
        answer = await self.client.post("/v1/subscribers", json={"url": "https://example.com/hook"} | changes)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def listener(self, **changes: Any) -> str:
        """The id of a subscriber in the ledger whose secret can be opened."""
        row = await subscribed(self.ledger, sealed_secret=self.house.keys.encrypt(SECRET), **changes)
        return str(row.id)

    def callback_path(self, job: Job | str, provider: str = "dashscope") -> str:
        job_id = job if isinstance(job, str) else job.id
        return f"/callbacks/{self.house.tokens.mint(job_id, provider)}"

    async def calls_back(self, job: Job | str, body: Any, **headers: str) -> httpx.Response:
        """Posts a provider's answer, as JSON unless it is bytes."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"content-type": "application/json"} | headers
        return await self.anyone.post(self.callback_path(job), content=content, headers=headers)


def finished(task_id: str = "task-1", url: str = "https://images.example/1.png?sign=a") -> dict[str, Any]:
    """A success in DashScope's words."""
    output = {"task_id": task_id, "task_status": "SUCCEEDED", "results": [{"url": url}]}
    return {"request_id": "r-1", "output": output, "usage": {"image_count": 1}}


def settings(home: Path, database_url: str, **changes: Any) -> Settings:
    fixed = {"home": home, "database_url": database_url, "api_key": API_KEY, "secret_keys": SECRET_KEYS}
    return load(**(fixed | changes))


def other_keys() -> SecretKeys:
    """Keys that are not the stage's."""
    return SecretKeys(["another-secret-key-for-tests"])


@asynccontextmanager
async def served(given: Settings, roles: frozenset[str] = FRONT, clock: Clock | None = None) -> AsyncIterator[Stage]:
    """A stage with these settings and roles."""
    clock = clock or FakeClock()
    house = await open_house(given, roles, clock=clock)
    app = create_app(house)
    transport = httpx.ASGITransport(app)
    key = {"authorization": f"Bearer {API_KEY}"}
    async with app.router.lifespan_context(app):
        async with (
            httpx.AsyncClient(transport=transport, base_url=BASE, headers=key) as client,
            httpx.AsyncClient(transport=transport, base_url=BASE) as anyone,
        ):
            yield Stage(house, app, client, anyone, clock)


def problem(answer: httpx.Response, status: int, kind: str) -> Any:
    """The problem document of an error, with exactly the members it may have."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert set(document) in ({"type", "title", "status", "detail"}, {"type", "title", "status", "detail", "errors"})
    assert (document["type"], document["status"]) == (f"urn:postback:problem:{kind}", status)
    assert document["title"]
    assert document["detail"]
    return document
