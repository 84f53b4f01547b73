"""A dispatcher on a stage: virtual time, a real ledger, and fakes only at the wire."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import httpx2 as httpx
from builders import queued
from sqlalchemy import Connection

from dispatcher.callback import CallbackPoster
from dispatcher.client import ProviderClient
from dispatcher.poller import Poller
from dispatcher.submitter import Submitter
from ledger import jobs
from ledger.clock import HOUR, MINUTE
from ledger.job import Job
from ledger.keys import SecretKeys
from ledger.ledger import Ledger
from ledger.moment import Moment
from ledger.pace import Limit
from ledger.schema import history, notifications
from ledger.schema import jobs as table
from ledger.tokens import CallbackTokens
from providers import PROVIDERS
from providers.protocol import Account

from .virtual import Crew, Time
from .wire import Receiver, Wire

PUBLIC_URL = "https://postback.example"
RECEIVER_URL = "https://receiver.test"
KEYS = SecretKeys(["a secret key for tests"])
DEADLINE = 24 * HOUR
POLL_AFTER = 90_000
ACCOUNTS = MappingProxyType(
    {
        "dashscope": Account("https://dashscope.test/api/v1", "sk-dashscope"),
        "acedata": Account("https://acedata.test", "sk-acedata"),
    }
)
UNLIMITED = MappingProxyType({"dashscope": Limit(0), "acedata": Limit(0, per_model=False)})


class Stage:
    """Both providers, the receiver, and the loops between them. `jitter` is always in the middle."""

    def __init__(self, ledger: Ledger, time: Time) -> None:
        self.ledger = ledger
        self.time = time
        self.crew = Crew(time)
        self.tokens = CallbackTokens(KEYS, time)
        self.dashscope, self.acedata = Wire(time), Wire(time)
        self.receiver = Receiver(ledger, self.tokens, time)
        self._http = httpx.AsyncClient(transport=httpx.MockTransport(self.receiver))
        self.poster = CallbackPoster(self._http, RECEIVER_URL, self.tokens)
        wires = {"dashscope": self.dashscope, "acedata": self.acedata}
        self.clients = {
            name: ProviderClient(PROVIDERS[name], ACCOUNTS[name], self.tokens.blank, httpx.MockTransport(wire))
            for name, wire in wires.items()
        }

    async def close(self) -> None:
        await self.crew.die()
        await self._http.aclose()
        for client in self.clients.values():
            await client.__aexit__(None, None, None)

    def submitter(self, **changes: Any) -> Submitter:
        given: dict[str, Any] = {
            "public_url": PUBLIC_URL,
            "limits": UNLIMITED,
            "deadline": DEADLINE,
            "poll_after": {"acedata": POLL_AFTER},
            "spawn": self.crew.spawn,
            "sleep": self.time.sleep,
            "jitter": lambda: 0.5,
        }
        return Submitter(self.ledger, self.clients, self.tokens, self.poster, **given | changes)

    def poller(
        self, rates: Mapping[str, float] = MappingProxyType({"dashscope": 20, "acedata": 20}), **changes: Any
    ) -> Poller:
        return Poller(
            self.ledger,
            self.clients,
            self.poster,
            rates=rates,
            spawn=self.crew.spawn,
            sleep=self.time.sleep,
            jitter=lambda: 0.5,
            **changes,
        )

    async def job(self, **changes: Any) -> Job:
        """A queued job; AceData's has a prompt only."""
        if changes.get("provider") == "acedata":
            changes = {"model": "flux-dev", "input": {"prompt": "a lighthouse"}, "parameters": {}} | changes
        return await queued(self.ledger, **changes)

    async def more(self, job: Job, count: int) -> None:
        """So many more of a job; their task_ids are numbered."""

        def add(connection: Connection, moment: Moment) -> None:
            numbered = (job._replace(id=moment.id("job"), task_id=job.task_id and f"more-{n}") for n in range(count))
            connection.execute(table.insert(), [one._asdict() for one in numbered])

        await self.ledger.write(add)

    async def submit(self, **changes: Any) -> None:
        """Sends what is due now, to the end."""
        await self.submitter(**changes).run_once(self.time.now)
        await self.crew.finish()

    async def poll_for(self, milliseconds: int) -> None:
        """Asks as the poller does for that long."""
        await self.crew.run(self.poller().run_once, until=self.time.now + milliseconds)

    async def pass_time(self, milliseconds: int = MINUTE, **changes: Any) -> int:
        """Lets submitter and poller work for that long; returns how many passes it took."""
        loops = self.submitter(**changes).run_once, self.poller().run_once
        return await self.crew.run(*loops, until=self.time.now + milliseconds)

    async def now(self, job: Job) -> Job:
        """The job as it is now."""
        return await self.ledger.read(jobs.get, job.id)

    async def diary(self, job: Job) -> list[str]:
        """The types of the job's history, in order."""
        query = history.select().where(history.c.job_id == job.id).order_by(history.c.id)
        return [row.type for row in await self.ledger.read(lambda connection: connection.execute(query).all())]

    async def notified(self, job: Job) -> list[str]:
        """The types of the job's notifications, in order."""
        query = notifications.select().where(notifications.c.job_id == job.id).order_by(notifications.c.sequence)
        return [row.type for row in await self.ledger.read(lambda connection: connection.execute(query).all())]
