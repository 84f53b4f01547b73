"""Sends queued jobs to their providers, each at most once unless it provably did not start."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any

import structlog
from sqlalchemy import Connection

from dispatcher.callback import CallbackPoster, callback_url
from dispatcher.client import ProviderClient
from dispatcher.patience import TIMEOUT
from dispatcher.reach import can_call
from dispatcher.rhythm import next_poll, next_try
from ledger import daily, submissions
from ledger.batch import Batch
from ledger.clock import SECOND
from ledger.daily import UNCAPPED, Caps
from ledger.job import Job
from ledger.ledger import Ledger
from ledger.moment import Moment
from ledger.pace import Limits
from ledger.settler import Settler
from ledger.submissions import Claimed
from ledger.submitted import Settlement
from ledger.tokens import CallbackTokens
from ledger.traces import HandOn, Tracer, trace_id
from providers.protocol import Disposition, Fault, Order, Reading, Refusal

log = structlog.get_logger()

LEASE = (TIMEOUT + 10) * SECOND
"""How long a submission may take. What is still `submitting` after it is `unconfirmed`."""

Spawn = Callable[[Coroutine[Any, Any, None]], None]
"""Runs a coroutine beside the loop; the runner waits for it before it stops."""


class Submitter:
    """One loop: claims queued jobs within their pace, sends each, settles it behind its lease.

    `poll_after` is when a missing callback or push is asked for, by provider, in milliseconds; `caps` are images a day,
    by provider; `on_taken` is called with when there is a job to ask about, in milliseconds, or None if it may be now;
    `on_told` is called when there is something to notify.
    """

    def __init__(
        self,
        ledger: Ledger,
        clients: Mapping[str, ProviderClient],
        tokens: CallbackTokens,
        poster: CallbackPoster,
        *,
        public_url: str,
        limits: Limits,
        deadline: int,
        poll_after: Mapping[str, int],
        caps: Caps = UNCAPPED,
        spawn: Spawn,
        on_taken: Callable[[int | None], None] = lambda due: None,
        on_told: Callable[[], None] = lambda: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
        tracer: Tracer | None = None,
    ) -> None:
        self._tracer = tracer or HandOn()
        self._ledger = ledger
        self._clients = clients
        self._tokens = tokens
        self._poster = poster
        self._public_url = public_url
        self._limits = {name: limit for name, limit in limits.items() if name in clients}
        self._deadline = deadline
        self._poll_after = poll_after
        self._caps = caps
        self._released = False
        self._spawn = spawn
        self._on_taken = on_taken
        self._on_told = on_told
        self._sleep = sleep
        self._jitter = jitter
        self._start = Batch(ledger, submissions.start, apart=True)
        self._settler = Settler(ledger, submissions.settle, apart=True, sleep=sleep, jitter=jitter)

    async def run_once(self, now: int) -> int | None:
        """Ends leases that ran out, starts what may be sent, and returns when it wants to be called again."""
        if not self._released:
            await self._ledger.write(daily.release)  # the caps may be others than those of the process before
            self._released = True
        claim = await self._ledger.write(self._claim)
        for claimed in claim.jobs:
            self._spawn(self._submit(claimed))
        return claim.next_due

    def _claim(self, connection: Connection, moment: Moment) -> submissions.Claim:
        submissions.expire(connection, moment)
        return submissions.claim(connection, moment, self._limits, LEASE, self._caps)

    async def _submit(self, claimed: Claimed) -> None:
        job = claimed.job
        client = self._clients[job.provider]
        order = Order(job.model, job.input, job.parameters)
        url = self._callback_url(client, job)
        await self._sleep(max(0, claimed.send_at - self._ledger.clock()) / 1_000)
        if not await self._start.add((job.id, job.lease)):
            return  # stopped past our lease: the job is not ours to send any more
        with self._tracer.span("provider.submit", job.traceparent, job_id=job.id, provider=job.provider) as span:
            said, body = await client.submit(order, url)
            if isinstance(said, Refusal):
                span.fail(said.code)
        settlement = replace(self._settlement(job, said, called_back=url is not None), pace=claimed.pace)
        # Past its lease, too, the job can be told what became of it, as long as it would be asked about.
        settled, told = await self._settler.settle(settlement, self._ledger.clock() + self._deadline)
        self._log(job, settlement, settled=settled)
        self._on_taken(settlement.due_at if settlement.outcome == "taken" else None)
        if told:
            self._on_told()
        if isinstance(said, Reading) and said.status.final:
            # The acknowledgement already held the result. Should this POST fail, asking will find it again.
            await self._poster.post(job, body, "answer")

    def _log(self, job: Job, settlement: Settlement, *, settled: bool) -> None:
        fault = settlement.fault
        log.info(
            "submitted",
            job_id=job.id,
            provider=job.provider,
            model=job.model,
            task_id=settlement.task_id,
            number=job.tries,
            outcome=settlement.outcome,
            error_code=None if fault is None else fault.code,
            trace_id=trace_id(job.traceparent),
            settled=settled,
        )

    def _callback_url(self, client: ProviderClient, job: Job) -> str | None:
        if client.provider.calls_back and can_call(client.account.base_url, self._public_url):
            return callback_url(self._public_url, self._tokens, job)
        return None

    def _first_poll(self, provider: str, called_back: bool) -> int:
        """Whoever will tell us is asked late: by callback, or by push where a provider has no callbacks of its own."""
        will_tell = called_back or not self._clients[provider].provider.calls_back
        if will_tell and provider in self._poll_after:
            return self._poll_after[provider]
        return next_poll(0, self._jitter())

    def _settlement(self, job: Job, said: Reading | Refusal, *, called_back: bool) -> Settlement:
        now = self._ledger.clock()
        if isinstance(said, Reading):
            if said.task_id is None and not said.status.final:
                fault = Fault("NoTaskId", "The provider answered without a task_id.")
                return Settlement(job.id, job.lease, "unknown", fault=fault)
            wait = self._first_poll(job.provider, called_back)
            return Settlement(
                job.id,
                job.lease,
                "taken",
                task_id=said.task_id,
                due_at=now + min(wait, self._deadline),
                deadline_at=now + self._deadline,
            )
        fault = Fault(said.code, said.message)
        match said.disposition:
            case Disposition.RETRY | Disposition.THROTTLE:
                wait = next_try(job.tries, self._jitter(), said.retry_after)
                return Settlement(
                    job.id,
                    job.lease,
                    "put_back",
                    due_at=now + wait,
                    fault=fault,
                    throttled=said.disposition is Disposition.THROTTLE,
                    retry_after=said.retry_after,
                )
            case Disposition.AMBIGUOUS:
                return Settlement(job.id, job.lease, "unknown", fault=fault)
        hint = self._clients[job.provider].provider.hint(said.code)
        return Settlement(job.id, job.lease, "refused", fault=fault, hint=hint)
