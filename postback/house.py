"""Ties the wings together: opens the ledger and starts the loops that this process's roles need.

What speaks HTTP to others is imported when the loops start: it takes a third of a start, and by then callbacks are
accepted.
"""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import cached_property
from typing import TYPE_CHECKING

from starlette.types import ASGIApp

from dispatcher.patience import POLL_LEASE
from ledger import copies, deliveries, moving, polls, serial, submissions
from ledger.batch import Batch
from ledger.clock import Clock, system_now
from ledger.errors import CannotOpen
from ledger.facts import check_keys
from ledger.keys import SecretKeys
from ledger.lane import Circuit
from ledger.ledger import Ledger, open_database
from ledger.recording import record
from ledger.sqlite import SqliteDatabase
from ledger.tokens import CallbackTokens
from postback import installation, keyfiles
from postback.alarm import Alarm
from postback.auth import Callers
from postback.dashboard.cookies import SessionCookies
from postback.dashboard.guesses import Guesses
from postback.metrics import Metrics, rates
from postback.news import News
from postback.readiness import Readiness
from postback.retention import Retention
from postback.runner import Runner
from postback.settings import Settings
from postback.tracing import open_tracing
from postback.watch import Beat, Watch
from providers import PROVIDERS
from receiver.intake import Intake
from receiver.links import ArtifactLinks
from receiver.places import open_storage

if TYPE_CHECKING:
    from dispatcher.client import ProviderClient
    from receiver.certificates import Fetch
    from receiver.courier import Courier
    from receiver.eventbridge import EventBridge

ROLES = frozenset({"receiver", "api", "dispatcher", "forwarder"})

DRAIN_SECONDS = 25
"""How long a stopping process lets what it started come to an end: longer than a provider or a subscriber may take."""


class House:
    """What one process runs. Open it with `open_house`."""

    def __init__(
        self,
        settings: Settings,
        roles: frozenset[str],
        ledger: Ledger,
        keys: SecretKeys,
        api_key: str,
        fetch: "Fetch | None" = None,
    ) -> None:
        self.settings = settings
        self.roles = roles
        self.ledger = ledger
        self.keys = keys
        self.mark = installation.mark(keys)
        self.api_key = api_key
        self.callers = Callers(ledger, api_key)
        self.cookies = SessionCookies(keys, ledger.clock, api_key)
        self.guesses = Guesses(ledger.clock)
        self.tokens = CallbackTokens(keys, ledger.clock)
        self.metrics = Metrics(ledger.clock, rates(settings))
        self.watch = Watch(ledger)
        self.tracer = open_tracing(settings)
        self.observer = self.tracer.observer(ledger, self.metrics)
        ledger.observe(self.metrics)
        self.links = ArtifactLinks(keys, settings.public_url)
        self.storage = open_storage(settings.artifacts, settings.home)
        self.intake = Intake(
            ledger,
            self.tokens,
            PROVIDERS,
            max_body=settings.max_body,
            archive=settings.archive,
            wake=lambda: self.wake("archiver"),
            observer=self.observer,
        )
        # Never apart: what is done again because an answer was lost would be a second job, and be paid twice.
        self.recording = Batch(ledger, record)
        self.eventbridge = self._eventbridge(fetch)
        self.circuit = Circuit(settings.circuit_failures, settings.circuit_cooldown)
        self.news = News(ledger)
        self.readiness = Readiness(ledger)
        self._courier: Courier | None = None
        self._runners: dict[str, Runner] = {}
        self._closing = AsyncExitStack()
        self._closing.push_async_callback(self.tracer.close)
        self._drained_at: float | None = None

    def wake(self, *loops: str) -> None:
        """There may be work for these loops, where this process runs them, and news for who follows the stream."""
        self.news.wake()
        for name in loops:
            if name in self._runners:
                self._runners[name].wake()

    @cached_property
    def clients(self) -> "Mapping[str, ProviderClient]":
        """The providers' accounts that this process may use."""
        from postback.clients import open_clients

        return open_clients(self.settings, self.tokens, self.metrics)

    def courier(self) -> "Courier":
        """What carries notifications out, made when first asked for: its connections need a running event loop."""
        if self._courier is None:
            from postback.forwarding import open_courier

            self._courier = open_courier(self.settings, self.keys, self._closing)
        return self._courier

    async def start(self, app: ASGIApp) -> None:
        """Starts the loops. `app` is this process's own HTTP application, for results that stay in the process."""
        self._closing.callback(Beat(self.metrics.lagged).end)
        if self.roles != {"receiver"}:
            await asyncio.to_thread(_load)
            for client in self.clients.values():
                await self._closing.enter_async_context(client)
        if "dispatcher" in self.roles:
            await self._start_dispatcher(app)
        if "forwarder" in self.roles:
            self._start_forwarder()
            if self.settings.retention:
                pruning = Retention(self.ledger, self.settings.retention, on_erased=lambda: self.wake("archiver"))
                self._runner("retention").start(pruning.run_once)
        if "api" in self.roles:
            self._runner("alarm").start(Alarm(self.ledger).run_once)
            self._runner("callers").start(self.callers.run_once)

    def hush(self) -> None:
        """Claims nothing more. What is under way goes on, and so do the answers to requests."""
        self._drained_at = asyncio.get_running_loop().time() + DRAIN_SECONDS
        for runner in self._runners.values():
            runner.hush()

    async def stop(self) -> None:
        """Takes no more work, lets what runs come to an end, and closes the ledger."""
        if self._drained_at is None:
            self.hush()
        within = max(0.0, (self._drained_at or 0.0) - asyncio.get_running_loop().time())
        try:
            await asyncio.gather(*(runner.stop(within) for runner in self._runners.values()))
            await self._closing.aclose()
            await self.news.drain()
        finally:
            await self.ledger.close()

    def _eventbridge(self, fetch: "Fetch | None") -> "EventBridge | None":
        token = self.settings.eventbridge_token
        if token is None or "receiver" not in self.roles:
            return None
        from receiver import certificates
        from receiver.eventbridge import PATH, EventBridge

        return EventBridge(
            self.ledger,
            certificates.Certificates(fetch or certificates.fetch, self.ledger.clock),
            url=self.settings.public_url + PATH,
            token=token.get_secret_value(),
            max_body=self.settings.max_body,
            wake=lambda: self.wake("poller"),
        )

    async def _start_dispatcher(self, app: ASGIApp) -> None:
        from postback import dispatching

        await dispatching.start(
            self.settings,
            self.ledger,
            self.clients,
            self.tokens,
            self.tracer,
            receiver=app if self.settings.receiver_url is None and "receiver" in self.roles else None,
            on_moved=self.wake,
            on_told=lambda: self.wake("forwarder"),
            closing=self._closing,
            runner=self._runner,
        )

    def _start_forwarder(self) -> None:
        from postback import forwarding

        self.intake.onward = forwarding.start_forwarder(
            self.settings,
            self.ledger,
            self.courier(),
            self.circuit,
            self.observer,
            self.tracer,
            self._runner("forwarder"),
        )
        forwarding.start_archiver(
            self.settings,
            self.ledger,
            self.storage,
            link=self.links.url,
            on_settled=self.wake,
            on_told=lambda: self.wake("forwarder"),
            closing=self._closing,
            runner=self._runner("archiver"),
        )

    def _runner(self, name: str) -> Runner:
        runner = self._runners[name] = Runner(name, self.ledger.clock)
        return runner


async def open_house(
    settings: Settings,
    roles: frozenset[str] = ROLES,
    *,
    clock: Clock = system_now,
    fetch: "Fetch | None" = None,
) -> House:
    """Opens and migrates the database and checks the keys. Raises `CannotOpen`, `BadKeys` and `BadPlace`.

    `fetch` gets the certificates that events are signed with, in place of the guarded egress.
    """
    ledger = await _open_ledger(settings, clock)
    try:
        if settings.auto_migrate:
            await ledger.database.migrate()
        found, needed = await ledger.database.version()
        if found != needed:
            raise CannotOpen(
                f"the database has schema {found or 'none'}, this version needs {needed}: run postback migrate"
            )
        await ledger.read(moving.check_complete)
        keys = keyfiles.secret_keys(settings)
        await ledger.write(check_keys, keys)
        await ledger.write(serial.rebase)
        if isinstance(ledger.database, SqliteDatabase):
            # The file is ours alone, so whoever held these leases is dead.
            await ledger.write(submissions.abandon)
            await ledger.write(polls.abandon, POLL_LEASE)
            await ledger.write(deliveries.abandon)
            await ledger.write(copies.abandon)
        return House(settings, roles, ledger, keys, keyfiles.api_key(settings), fetch)
    except BaseException:
        await ledger.close()
        raise


async def _open_ledger(settings: Settings, clock: Clock) -> Ledger:
    return Ledger(await open_database(settings.database_url), clock=clock, first_delay=settings.retry_schedule[0])


def _load() -> None:
    """Imports what the loops need, in a thread while requests are answered already."""
    from postback import clients, dispatching, forwarding  # noqa: F401
