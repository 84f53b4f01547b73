"""One process of Postback: what `postback.house` ties together, on a loop and a ledger of the simulation."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2 as httpx
from starlette.requests import Request

from dispatcher.callback import CallbackPoster
from dispatcher.canceler import cancel
from dispatcher.client import ProviderClient
from dispatcher.poller import LEASE as POLL_LEASE
from dispatcher.poller import Poller
from dispatcher.reconciler import Reconciler
from dispatcher.submitter import Submitter
from dispatcher.sweeper import Sweeper
from ledger import deliveries, jobs, polls, submissions
from ledger.clock import MINUTE, SECOND
from ledger.ids import Ids
from ledger.keys import SecretKeys
from ledger.lane import Circuit
from ledger.pace import Limit
from ledger.tokens import CallbackTokens
from postback.runner import Runner
from providers import PROVIDERS
from providers.protocol import Account
from receiver.courier import Courier
from receiver.forwarder import Forwarder
from receiver.intake import Intake
from receiver.problems import Problem

from .plan import SLOW_RATE, Plan
from .store import Access, NamedLedger, Store
from .subscriber import TIMEOUT
from .timeline import Loop

KEYS = SecretKeys(["a secret key for simulations"])
PUBLIC_URL = "https://postback.example"
IDLE = {True: 10 * SECOND, False: 30 * SECOND}
"""The longest pause of a loop, where the database is shared and where it is not. The real one is shorter, which costs
more passes in which nothing is found."""

CALM_IDLE = 2 * MINUTE
"""The same once nothing goes wrong any more: what is left may be hours away, and there is nobody to take over from."""

ACCOUNTS = {
    "dashscope": Account("https://dashscope.test/api/v1", "sk-dashscope"),
    "acedata": Account("https://acedata.test", "sk-acedata"),
}

Wire = Callable[[Loop, httpx.Request], Coroutine[Any, Any, httpx.Response]]
"""Brings a request of a process to a provider."""


@dataclass(frozen=True)
class Surroundings:
    """What a process is started with: the seams of the simulation."""

    plan: Plan
    store: Store
    clock: Callable[[], int]
    access: Access
    wires: Mapping[str, Wire]
    door: Any
    own_post: Callable[["Process", str, bytes], Coroutine[Any, Any, int]]
    chance: random.Random


class Process:
    """The real loops, the real intake and the real ledger. `start` begins them; the timeline ends them."""

    def __init__(self, name: str, loop: Loop, around: Surroundings) -> None:
        self.name = name
        self.loop = loop
        self.clock = around.clock
        self._around = around
        plan, chance = around.plan, around.chance
        self.ledger = NamedLedger(
            around.access, clock=around.clock, ids=Ids(chance.randbytes), first_delay=plan.schedule[0]
        )
        self.tokens = CallbackTokens(KEYS, around.clock)
        self.clients = {name: self._client(name) for name in ACCOUNTS}
        self._rates = dict.fromkeys(ACCOUNTS, plan.query_rate)
        self._runners = {
            name: Runner(name, around.clock, idle=IDLE[plan.shared])
            for name in ("submitter", "poller", "sweeper", "reconciler", "forwarder")
        }
        self.intake = Intake(
            self.ledger, self.tokens, PROVIDERS, max_body=1024 * 1024, wake=lambda: self.wake("forwarder")
        )

    async def start(self) -> None:
        """As `House.start` does, after what `open_house` does."""
        if not self._around.plan.shared:
            # The database is ours alone, so whoever held these leases is dead.
            await self.ledger.write(submissions.abandon)
            await self.ledger.write(polls.abandon, POLL_LEASE)
            await self.ledger.write(deliveries.abandon)
        await self.ledger.write(polls.ask_again)
        self._start_dispatcher()
        self._start_forwarder()

    def calm_down(self) -> None:
        """From now on the loops make long pauses."""
        for runner in self._runners.values():
            runner._idle = CALM_IDLE

    def wake(self, *loops: str) -> None:
        """There may be work for these loops."""
        for name in loops:
            self._runners[name].wake()

    async def order(self, provider: str, prompt: str) -> None:
        """What `POST /v1/jobs` does; the prompt is its idempotency key."""
        model = "flux-schnell" if provider == "dashscope" else "flux-dev"
        asked = jobs.Draft(provider, model, {"prompt": prompt}, {}, {}, idempotency_key=prompt)
        await self.ledger.write(jobs.create, asked)
        self.wake("submitter")

    async def cancel(self, job_id: str) -> None:
        """What `POST /v1/jobs/{id}/cancel` does."""
        await cancel(self.ledger, self.clients, self._rates, job_id)
        self.wake("forwarder")

    async def resubmit(self, job_id: str) -> None:
        """What `POST /v1/jobs/{id}/resubmit` does."""
        await self.ledger.write(jobs.resubmit, job_id)
        self.wake("submitter")

    async def redeliver(self, delivery_id: str) -> None:
        """What `POST /v1/deliveries/{id}/redeliver` does."""
        await self.ledger.write(deliveries.redeliver, delivery_id)
        self.wake("forwarder")

    async def receive(self, token: str, body: bytes) -> int:
        """What `POST /callbacks/{token}` answers, without the application's routing."""

        async def body_comes() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        headers = [(b"content-type", b"application/json")]
        scope = {"type": "http", "method": "POST", "path_params": {"token": token}, "headers": headers}
        try:
            return (await self.intake.receive(Request(scope, body_comes))).status_code
        except Problem as problem:
            return problem.response().status_code

    def _client(self, name: str) -> ProviderClient:
        async def send(request: httpx.Request) -> httpx.Response:
            return await self._around.wires[name](self.loop, request)

        return ProviderClient(PROVIDERS[name], ACCOUNTS[name], self.tokens.blank, httpx.MockTransport(send))

    def _start_dispatcher(self) -> None:
        async def post(request: httpx.Request) -> httpx.Response:
            token = request.url.path.rpartition("/")[2]
            return httpx.Response(await self._around.own_post(self, token, request.content))

        plan, jitter = self._around.plan, self._around.chance.random
        http = httpx.AsyncClient(transport=httpx.MockTransport(post))
        poster = CallbackPoster(http, PUBLIC_URL, self.tokens)
        submitting, polling = self._runners["submitter"], self._runners["poller"]
        sweeper = Sweeper(self.ledger, self.clients, rates=self._rates, on_found=polling.wake)
        submitter = Submitter(
            self.ledger,
            self.clients,
            self.tokens,
            poster,
            public_url=PUBLIC_URL,
            limits={
                "dashscope": Limit(plan.submit_rate),
                "acedata": Limit(plan.submit_rate, in_flight=10, per_model=False),
            },
            deadline=plan.deadline,
            poll_after={"acedata": plan.poll_after},
            spawn=submitting.spawn,
            on_taken=polling.wake,
            jitter=jitter,
        )
        poller = Poller(
            self.ledger,
            self.clients,
            poster,
            rates=self._rates,
            spawn=polling.spawn,
            swept=sweeper.swept,
            jitter=jitter,
        )
        reconciler = Reconciler(
            self.ledger, self.clients, rates=self._rates, deadline=plan.deadline, on_adopted=polling.wake
        )
        submitting.start(submitter.run_once)
        polling.start(poller.run_once)
        if plan.query_rate == SLOW_RATE:  # else there is never enough to ask about
            self._runners["sweeper"].start(sweeper.run_once)
        self._runners["reconciler"].start(reconciler.run_once)

    def _start_forwarder(self) -> None:
        runner, plan = self._runners["forwarder"], self._around.plan
        forwarder = Forwarder(
            self.ledger,
            Courier(KEYS, self._around.door),
            schedule=plan.schedule,
            timeout=TIMEOUT,
            circuit=Circuit(plan.failures, 5 * SECOND),
            spawn=runner.spawn,
            stopping=runner.stopping,
            jitter=self._around.chance.random,
        )
        runner.start(forwarder.run_once)


async def turn(loop: Loop, slow: float, chance: random.Random) -> None:
    """Lets the others go on, as any way to a database does. A dead process never comes back from it."""
    await asyncio.sleep(chance.uniform(0, 6) if slow and chance.random() < slow else 0)
    if loop.dead:
        raise asyncio.CancelledError
