"""Cancels a job: at once while it is queued, at the provider where that can be."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from dispatcher.client import ProviderClient
from dispatcher.turn import take_turn
from ledger import jobs
from ledger.errors import Refused
from ledger.job import Job
from ledger.ledger import Ledger


async def cancel(
    ledger: Ledger,
    clients: Mapping[str, ProviderClient],
    rates: Mapping[str, float],
    job_id: str,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Job:
    """The canceled job. Raises `NotFound`, and `Refused` with the reason why it cannot be canceled.

    `rates` are queries a second: a cancel takes its slot among them.
    """
    job = await ledger.read(jobs.get, job_id)
    if job.status in ("queued", "canceled"):
        return await ledger.write(jobs.cancel, job_id)
    if job.status != "pending" or job.task_id is None:
        raise Refused(f"the job is {job.status}; only a queued job, or one that waits at its provider, can be canceled")
    client = clients.get(job.provider)
    if client is None:
        raise Refused(f"no key for {job.provider} is set here, so it cannot be asked to cancel")
    await take_turn(ledger, job.provider, rates[job.provider], sleep)
    refusal = await client.cancel(job.task_id)
    if refusal is not None:
        raise Refused(f"{job.provider} did not cancel it: {refusal.code}: {refusal.message}")
    return await ledger.write(jobs.cancel, job_id, at_provider=True)
