"""Asks providers about jobs, and POSTs what it found to the job's callback URL, as a provider would have."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping

import structlog

from dispatcher.callback import CallbackPoster
from dispatcher.client import TIMEOUT, ProviderClient
from dispatcher.rhythm import next_poll, next_try
from dispatcher.submitter import Spawn
from ledger import polls
from ledger.batch import Batch
from ledger.clock import SECOND
from ledger.job import Job
from ledger.ledger import Ledger
from ledger.polls import Asked, Claimed
from providers.protocol import JobStatus, Reading, Refusal

log = structlog.get_logger()

LEASE = (2 * TIMEOUT + 10) * SECOND
"""How long asking and telling the receiver may take."""

GRACE = 30 * SECOND
"""How long after its submission a provider may say that it does not know a job."""

_PATIENCE = 4
"""Failures are not counted in a row: a job that was asked often is tried again as after this many."""

_WORTH_REPEATING = (408, 425, 429)
"""4xx answers of a receiver that another try may change."""


class Poller:
    """One loop: claims jobs that are due to be asked about, within their account's query rate, and asks."""

    def __init__(
        self,
        ledger: Ledger,
        clients: Mapping[str, ProviderClient],
        poster: CallbackPoster,
        *,
        rates: Mapping[str, float],
        spawn: Spawn,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._ledger = ledger
        self._clients = clients
        self._poster = poster
        self._rates = {name: rate for name, rate in rates.items() if name in clients}
        self._spawn = spawn
        self._sleep = sleep
        self._jitter = jitter
        self._settle = Batch(ledger, polls.settle)

    async def run_once(self, now: int) -> int | None:
        """Starts asking about what is due, and returns when it wants to be called again."""
        claim = await self._ledger.write(polls.claim, self._rates, LEASE)
        for claimed in claim.jobs:
            self._spawn(self._ask(claimed))
        return claim.next_due

    async def _ask(self, claimed: Claimed) -> None:
        job = claimed.job
        await self._sleep(max(0, claimed.ask_at - self._ledger.clock()) / 1_000)
        if job.task_id is None:
            # The provider gave none: only its callback can tell, until the deadline.
            await self._settle.add(self._again(job, None, self._deadline_of(job)))
            return
        said, body = await self._clients[job.provider].fetch(job.task_id)
        if isinstance(said, Reading) and said.status.final:
            asked = await self._tell(job, body)
        else:
            asked = self._unfinished(job, said)
        if asked is not None:
            await self._settle.add(asked)

    async def _tell(self, job: Job, body: bytes) -> Asked | None:
        """POSTs a result to the receiver; None when it took it, and so moved the job on."""
        code = await self._poster.post(job, body)
        if code is not None and 200 <= code < 300:
            return None
        log.warning("receiver_refused", job_id=job.id, status_code=code)
        if code is not None and 400 <= code < 500 and code not in _WORTH_REPEATING:
            warning = (
                f"the result was found, but the receiver refused it with HTTP {code}; "
                "check POSTBACK_RECEIVER_URL and POSTBACK_SECRET_KEYS"
            )
            return self._again(job, None, self._deadline_of(job), warning)
        return self._again(job, None, next_try(min(job.polls + 1, _PATIENCE), self._jitter()))

    def _unfinished(self, job: Job, said: Reading | Refusal) -> Asked:
        if isinstance(said, Refusal):
            wait = next_try(min(job.polls + 1, _PATIENCE), self._jitter(), said.retry_after)
            warning = None
            if said.disposition == "final":
                warning = f"the provider refuses to be asked: {said.code}: {said.message}"
                wait = max(wait, 60 * SECOND)
            return self._again(job, None, wait, warning)
        if said.status == JobStatus.UNKNOWN and self._ledger.clock() > (job.submitted_at or 0) + GRACE:
            return Asked(job.id, job.lease, None, lost="the provider no longer knows the job")
        return self._again(job, said, next_poll(job.polls + 1, self._jitter()))

    def _again(self, job: Job, said: Reading | None, wait: int, warning: str | None = None) -> Asked:
        now = self._ledger.clock()
        if job.deadline_at is not None and now >= job.deadline_at:
            return Asked(job.id, job.lease, None, lost="no result came before its deadline", warning=warning)
        due_at = now + wait if job.deadline_at is None else min(now + wait, job.deadline_at)
        return Asked(job.id, job.lease, due_at, said, warning=warning)

    def _deadline_of(self, job: Job) -> int:
        """How long until the job's deadline."""
        return max(0, (job.deadline_at or 0) - self._ledger.clock())
