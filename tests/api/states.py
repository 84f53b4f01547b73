"""A job in each of its states, brought there as it would be."""

from collections.abc import Awaitable, Callable, Mapping

from builders import calls_back, done, failed, pending, queued, submitting, unconfirmed, unfinished

from ledger import jobs, polls
from ledger.job import Job
from ledger.ledger import Ledger


async def _running(ledger: Ledger) -> Job:
    job = await pending(ledger)
    await calls_back(ledger, job, unfinished())
    return job


async def _failed(ledger: Ledger) -> Job:
    job = await pending(ledger)
    await calls_back(ledger, job, failed())
    return job


async def _canceled(ledger: Ledger) -> Job:
    job = await queued(ledger)
    return await ledger.write(jobs.cancel, job.id)


async def _lost(ledger: Ledger) -> Job:
    job = await pending(ledger)
    assert await ledger.write(polls.settle, [polls.Asked(job.id, job.lease, None, lost="nobody knows it")]) == [True]
    return job


MAKE: Mapping[str, Callable[[Ledger], Awaitable[Job]]] = {
    "queued": queued,
    "submitting": submitting,
    "pending": pending,
    "running": _running,
    "unconfirmed": unconfirmed,
    "succeeded": done,
    "failed": _failed,
    "canceled": _canceled,
    "lost": _lost,
}
