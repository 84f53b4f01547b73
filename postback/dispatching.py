"""The loops of the role dispatcher, tied together: submitting, polling, sweeping and reconciling."""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack

import httpx2 as httpx
from starlette.types import ASGIApp

from dispatcher.callback import CallbackPoster
from dispatcher.client import ProviderClient
from dispatcher.poller import Poller
from dispatcher.reconciler import Reconciler
from dispatcher.submitter import Submitter
from dispatcher.sweeper import Sweeper
from ledger import polls
from ledger.clock import SECOND
from ledger.ledger import Ledger
from ledger.pace import Limit
from ledger.tokens import CallbackTokens
from ledger.traces import Tracer
from postback.runner import Runner
from postback.settings import Settings
from providers import PROVIDERS
from receiver.eventbridge import PROVIDER

PUSHED_POLL = 60 * SECOND
"""How long jobs of a provider that pushes go without being asked about, should a push not come."""

_OWN_RECEIVER = "http://receiver.invalid"
"""Where results are POSTed that never leave the process; no request goes to that name (RFC 6761)."""


async def start(
    settings: Settings,
    ledger: Ledger,
    clients: Mapping[str, ProviderClient],
    tokens: CallbackTokens,
    tracer: Tracer,
    *,
    receiver: ASGIApp | None,
    on_moved: Callable[[], None],
    on_told: Callable[[], None],
    closing: AsyncExitStack,
    runner: Callable[[str], Runner],
) -> None:
    """Starts the loops, each on a `runner` of its own. `receiver` is the application that takes callbacks, where that
    is this process's own; `on_moved` is called when a job has moved on, `on_told` when there may be something to
    notify.

    What they hold open is left to `closing`.
    """
    transport = None if receiver is None else httpx.ASGITransport(receiver, raise_app_exceptions=False)
    http = await closing.enter_async_context(httpx.AsyncClient(transport=transport, trust_env=False))
    url = settings.receiver_url or settings.public_url if receiver is None else _OWN_RECEIVER
    poster = CallbackPoster(http, url, tokens)
    paces = {name: settings.pace(name) for name in PROVIDERS}
    rates = {name: pace.query_rate for name, pace in paces.items()}
    pushed = {PROVIDER: PUSHED_POLL} if settings.eventbridge_token is not None else {}
    submitting, polling, sweeping = runner("submitter"), runner("poller"), runner("sweeper")

    def taken(due: int | None) -> None:
        polling.wake(due)
        on_moved()

    sweeper = Sweeper(ledger, clients, rates=rates, on_found=polling.wake)
    submitter = Submitter(
        ledger,
        clients,
        tokens,
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
        on_taken=taken,
        on_told=on_told,
        tracer=tracer,
    )
    poller = Poller(
        ledger,
        clients,
        poster,
        rates=rates,
        spawn=polling.spawn,
        swept=sweeper.swept,
        rest=pushed,
        on_moved=on_told,
    )
    await ledger.write(polls.ask_again)
    submitting.start(submitter.run_once)
    polling.start(poller.run_once)
    sweeping.start(sweeper.run_once)
    if settings.reconcile:
        reconciler = Reconciler(ledger, clients, rates=rates, deadline=settings.job_deadline, on_adopted=polling.wake)
        runner("reconciler").start(reconciler.run_once)
