"""The loops of the role dispatcher, tied to what a house has: submitting, polling, sweeping and reconciling."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import httpx2 as httpx
from starlette.types import ASGIApp

from dispatcher.callback import CallbackPoster
from dispatcher.poller import Poller
from dispatcher.reconciler import Reconciler
from dispatcher.submitter import Submitter
from dispatcher.sweeper import Sweeper
from ledger import polls
from ledger.clock import SECOND
from ledger.pace import Limit
from postback.runner import Runner
from providers import PROVIDERS
from receiver.eventbridge import PROVIDER

if TYPE_CHECKING:
    from postback.house import House

PUSHED_POLL = 60 * SECOND
"""How long jobs of a provider that pushes go without being asked about, should a push not come."""

_OWN_RECEIVER = "http://receiver.invalid"
"""Where results are POSTed that never leave the process; no request goes to that name (RFC 6761)."""


async def start(house: "House", app: ASGIApp, closing: AsyncExitStack, runner: Callable[[str], Runner]) -> None:
    """Starts the loops, each on a `runner` of its own. `app` is this process's own HTTP application.

    What they hold open is left to `closing`.
    """
    settings, ledger, clients = house.settings, house.ledger, house.clients
    own = settings.receiver_url is None and "receiver" in house.roles
    transport = httpx.ASGITransport(app, raise_app_exceptions=False) if own else None
    http = await closing.enter_async_context(httpx.AsyncClient(transport=transport, trust_env=False))
    poster = CallbackPoster(http, _OWN_RECEIVER if own else settings.receiver_url or settings.public_url, house.tokens)
    paces = {name: settings.pace(name) for name in PROVIDERS}
    rates = {name: pace.query_rate for name, pace in paces.items()}
    pushed = {PROVIDER: PUSHED_POLL} if settings.eventbridge_token is not None else {}
    submitting, polling, sweeping = runner("submitter"), runner("poller"), runner("sweeper")
    sweeper = Sweeper(ledger, clients, rates=rates, on_found=polling.wake)
    submitter = Submitter(
        ledger,
        clients,
        house.tokens,
        poster,
        public_url=settings.public_url,
        limits={
            name: Limit(pace.submit_rate, pace.max_in_flight, per_model=PROVIDERS[name].paced_by_model)
            for name, pace in paces.items()
        },
        deadline=settings.job_deadline,
        caps={name: pace.daily_images for name, pace in paces.items()},
        poll_after={"acedata": settings.acedata_poll_after, **pushed},
        spawn=submitting.spawn,
        on_taken=polling.wake,
        tracer=house.tracer,
    )
    poller = Poller(
        ledger,
        clients,
        poster,
        rates=rates,
        spawn=polling.spawn,
        swept=sweeper.swept,
        rest=pushed,
    )
    await ledger.write(polls.ask_again)
    submitting.start(submitter.run_once)
    polling.start(poller.run_once)
    sweeping.start(sweeper.run_once)
    if settings.reconcile:
        reconciler = Reconciler(ledger, clients, rates=rates, deadline=settings.job_deadline, on_adopted=polling.wake)
        runner("reconciler").start(reconciler.run_once)
