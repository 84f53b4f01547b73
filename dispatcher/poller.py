"""Asks providers about jobs, and POSTs what it found to the job's callback URL, as a provider would have."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import structlog

from dispatcher.callback import CallbackPoster
from dispatcher.client import ProviderClient
from dispatcher.patience import POLL_LEASE as LEASE
from dispatcher.rhythm import next_poll, next_try
from dispatcher.submitter import Spawn
from dispatcher.turn import take_turn
from ledger import polls
from ledger.batch import Batch
from ledger.clock import SECOND
from ledger.job import Job
from ledger.ledger import Ledger
from ledger.polls import Asked, Budget
from ledger.traces import trace_id
from providers.protocol import Disposition, JobStatus, Reading, Refusal

log = structlog.get_logger()

GRACE = 30 * SECOND
"""How long after its submission a provider may say that it does not know a job."""

_PATIENCE = 4
"""Failures are not counted in a row: a job that was asked often is tried again as after this many."""

_WORTH_REPEATING = (408, 425, 429)
"""4xx answers of a receiver that another try may change."""


class Poller:
    """One loop: claims jobs that are due to be asked about, within their account's query rate, and asks.

    `swept` names the providers whose list is being read: of theirs, only jobs that are worth it are asked about.
    `rest` is the shortest pause between two questions about a job, in milliseconds, of providers that push.
    `on_moved` is called when a question changed a job: there may be something to notify.
    """

    def __init__(
        self,
        ledger: Ledger,
        clients: Mapping[str, ProviderClient],
        poster: CallbackPoster,
        *,
        rates: Mapping[str, float],
        spawn: Spawn,
        swept: Callable[[], Collection[str]] = tuple,
        rest: Mapping[str, int] = MappingProxyType({}),
        on_moved: Callable[[], None] = lambda: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._ledger = ledger
        self._clients = clients
        self._poster = poster
        self._rates = {name: rate for name, rate in rates.items() if name in clients}
        self._swept = swept
        self._look_at = 0
        self._rest = rest
        self._on_moved = on_moved
        self._spawn = spawn
        self._sleep = sleep
        self._jitter = jitter
        self._settle = Batch(ledger, polls.settle, apart=True)

    async def run_once(self, now: int) -> int | None:
        """Starts asking about what is due, and returns when it wants to be called again."""
        await self._give_up(now)
        claim = await self._ledger.write(polls.claim, self._budgets(), LEASE)
        slots: dict[tuple[str, int], list[Job]] = {}
        for claimed in claim.jobs:
            slots.setdefault((claimed.job.provider, claimed.ask_at), []).append(claimed.job)
        for (provider, ask_at), jobs in slots.items():
            for nth, call in enumerate(self._calls(provider, jobs)):
                self._spawn(self._ask(provider, ask_at if nth == 0 else None, call))
        return claim.next_due

    async def _give_up(self, now: int) -> None:
        if now >= self._look_at:
            self._look_at = now + polls.OVERDUE
            while await self._ledger.write(polls.overdue):
                self._on_moved()

    def _budgets(self) -> dict[str, Budget]:
        swept = self._swept()
        return {name: Budget(rate, self._batch(name), name in swept) for name, rate in self._rates.items()}

    def _batch(self, provider: str) -> int:
        batches = self._clients[provider].provider.batches
        return batches.size if batches is not None else 1

    def _calls(self, provider: str, jobs: Sequence[Job]) -> list[Sequence[Job]]:
        """The jobs of a slot as calls: each of one group, and of no more than the provider answers for at once."""
        batches, size = self._clients[provider].provider.batches, self._batch(provider)
        groups: dict[str, list[Job]] = {}
        for job in jobs:
            groups.setdefault(batches.group(job.model) if batches is not None else "", []).append(job)
        return [group[start : start + size] for group in groups.values() for start in range(0, len(group), size)]

    async def _ask(self, provider: str, ask_at: int | None, jobs: Sequence[Job]) -> None:
        """One call about one job or several, then what follows for each.

        Without `ask_at` another call has their slot, and this one waits for its own turn.
        """
        if ask_at is None:
            await take_turn(self._ledger, provider, self._rates[provider], self._sleep)
        else:
            await self._sleep(max(0, ask_at - self._ledger.clock()) / 1_000)
        named = {job.task_id: job for job in jobs if job.task_id is not None}
        answers = await self._clients[provider].fetch_many(list(named), jobs[0].model) if named else {}
        await asyncio.gather(
            *(self._heard(named[task_id], said, body) for task_id, (said, body) in answers.items()),
            # Without a task_id only its callback can tell, until the deadline.
            *(self._record(self._again(job, None, self._deadline_of(job))) for job in jobs if job.task_id is None),
        )

    async def _heard(self, job: Job, said: Reading | Refusal, body: bytes) -> None:
        if isinstance(said, Reading) and said.status.final:
            asked = await self._tell(job, body)
        else:
            asked = self._unfinished(job, said)
        if asked is not None:
            settled = await self._record(asked)
            if settled and _tells_something(job, asked):
                self._log(job, asked)
                self._on_moved()

    def _log(self, job: Job, asked: Asked) -> None:
        said = asked.reading
        log.info(
            "polled",
            job_id=job.id,
            provider=job.provider,
            status="lost" if asked.lost else None if said is None else str(said.status),
            provider_status=None if said is None else said.provider_status,
            warning=asked.warning,
            polls=job.polls + 1,
            trace_id=trace_id(job.traceparent),
        )

    async def _record(self, asked: Asked) -> bool:
        return await self._settle.add(asked)

    async def _tell(self, job: Job, body: bytes) -> Asked | None:
        """POSTs a result to the receiver; None when it took it, and so moved the job on."""
        code = await self._poster.post(job, body)
        if code is not None and 200 <= code < 300:
            return None
        log.warning("receiver_refused", job_id=job.id, status_code=code)
        if code is not None and 400 <= code < 500 and code not in _WORTH_REPEATING:
            suspects = "POSTBACK_MAX_BODY" if code == 413 else "POSTBACK_RECEIVER_URL and POSTBACK_SECRET_KEYS"
            warning = f"the result was found, but the receiver refused it with HTTP {code}; check {suspects}"
            return self._again(job, None, self._deadline_of(job), warning)
        return self._again(job, None, next_try(min(job.polls + 1, _PATIENCE), self._jitter()))

    def _unfinished(self, job: Job, said: Reading | Refusal) -> Asked:
        if isinstance(said, Refusal):
            wait = next_try(min(job.polls + 1, _PATIENCE), self._jitter(), said.retry_after)
            warning = None
            if said.disposition is Disposition.FINAL:
                warning = f"the provider refuses to be asked: {said.code}: {said.message}"
                wait = max(wait, 60 * SECOND)
            elif 200 <= said.status <= 299:
                warning = f"the provider's answer could not be read: {said.message}"
            asked = self._again(job, None, wait, warning)
            throttled = said.disposition is Disposition.THROTTLE
            return replace(asked, throttled=throttled, retry_after=said.retry_after)
        if said.status == JobStatus.UNKNOWN and self._ledger.clock() > (job.submitted_at or 0) + GRACE:
            return Asked(job.id, job.lease, None, lost="the provider no longer knows the job")
        return self._again(job, said, max(next_poll(job.polls + 1, self._jitter()), self._rest.get(job.provider, 0)))

    def _again(self, job: Job, said: Reading | None, wait: int, warning: str | None = None) -> Asked:
        now = self._ledger.clock()
        if job.deadline_at is not None and now >= job.deadline_at:
            return Asked(job.id, job.lease, None, lost="no result came before its deadline", warning=warning)
        due_at = now + wait if job.deadline_at is None else min(now + wait, job.deadline_at)
        return Asked(job.id, job.lease, due_at, said, warning=warning)

    def _deadline_of(self, job: Job) -> int:
        """How long until the job's deadline."""
        return max(0, (job.deadline_at or 0) - self._ledger.clock())


def _tells_something(job: Job, asked: Asked) -> bool:
    """Whether a poll changed something, as far as its job was known."""
    said = asked.reading
    if asked.lost is not None or (asked.warning is not None and asked.warning not in job.warnings):
        return True
    return said is not None and (said.status != job.status or said.provider_status not in (None, job.provider_status))
