"""The receiver, ready for events, and the place where it gets certificates."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2 as httpx
from builders import FakeClock

from ledger import jobs
from ledger.job import Job
from ledger.ledger import Ledger
from postback.app import create_app
from postback.house import House, open_house
from postback.settings import Settings

from . import signer
from .signer import CERTIFICATE_URL

PATH = "/eventbridge"


@dataclass
class Library:
    """EventBridge's hosts: `holds` is what is at each URL, an error where nothing can be got."""

    holds: dict[str, bytes | Exception] = field(default_factory=lambda: {CERTIFICATE_URL: signer.certificate()})
    asked: list[str] = field(default_factory=list)

    async def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        match self.holds[url]:
            case bytes(found):
                return found
            case error:
                raise error


@dataclass(frozen=True)
class Stage:
    """One process with the role of the receiver."""

    house: House
    client: httpx.AsyncClient
    clock: FakeClock
    library: Library

    @property
    def ledger(self) -> Ledger:
        return self.house.ledger

    async def now(self, job: Job) -> Job:
        """The job as it is now."""
        return await self.ledger.read(jobs.get, job.id)

    async def post(self, body: bytes, headers: Any, path: str = PATH) -> httpx.Response:
        return await self.client.post(path, content=body, headers=headers)

    async def push(self, body: bytes | None = None, **signed: Any) -> httpx.Response:
        """Sends an event, signed as of now unless told otherwise."""
        body = signer.event() if body is None else body
        return await self.post(body, signer.headers(body, **{"at": self.clock(), **signed}))


@asynccontextmanager
async def served(given: Settings, roles: frozenset[str] = frozenset({"receiver"})) -> AsyncIterator[Stage]:
    """A stage with these settings and roles."""
    clock, library = FakeClock(), Library()
    house = await open_house(given, roles, clock=clock, fetch=library.fetch)
    app = create_app(house)
    async with app.router.lifespan_context(app):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://receiver.test") as client:
            yield Stage(house, client, clock, library)


def refused(answer: httpx.Response) -> None:
    """All that is wrong with a signature looks the same from outside."""
    assert answer.status_code == 403, answer.text
    assert problem(answer) == ("bad-signature", "The event is not signed as it must be; the log says more.")


def problem(answer: httpx.Response) -> tuple[str, str]:
    """The kind and the detail of a problem."""
    document: Mapping[str, str] = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    return document["type"].removeprefix("urn:postback:problem:"), document["detail"]
