"""Accepting callbacks: the one way in for results. Set-based, because this is the hottest path there is."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection

from ledger import artifacts, bulk, jobs
from ledger.job import Job
from ledger.moment import Moment
from ledger.outbox import Outbox
from ledger.schema import artifacts as artifact_table
from ledger.schema import callbacks
from ledger.verdict import KEPT_COPIES, Reading, rule


class Arrival(NamedTuple):
    """One POST whose token was good. `reading` is None when the body could not be read."""

    job_id: str
    provider: str
    headers: dict[str, str]
    body: bytes
    reading: Reading | None


def accept(
    connection: Connection, moment: Moment, arrivals: Sequence[Arrival], *, archive: bool = False
) -> list[str | None]:
    """Stores callbacks, moves their jobs and notifies. A verdict for each, in their order; None when the job is gone.

    Callbacks for one job are folded in memory in the order they came, so each job is written once. With `archive`,
    the images of a success become owed to artifact storage.
    """
    held = jobs.lock(connection, [arrival.job_id for arrival in arrivals])
    outbox = Outbox(connection, moment)
    outbox.expect(held.values())
    verdicts: list[str | None] = []
    copies: list[tuple[Any, ...]] = []
    images: list[dict[str, Any]] = []
    changed: dict[str, Job] = {}
    for arrival in arrivals:
        job = changed.get(arrival.job_id) or held.get(arrival.job_id)
        if job is None or job.provider != arrival.provider:
            verdicts.append(None)
            continue
        ruling = rule(job, arrival.reading, moment.now)
        job = ruling.job
        for state in ruling.passed:
            job = outbox.announce(job, state)
        if archive and "succeeded" in ruling.passed:
            owed = artifacts.owed(moment, job)
            images += owed
            job = job if owed else outbox.announce(job, "archived")
        changed[job.id] = job
        verdicts.append(ruling.verdict)
        if job.callback_counts.get(ruling.verdict, 0) <= KEPT_COPIES:
            copies.append(_copy(arrival, ruling.verdict, job.task_id, moment))
    jobs.save(connection, list(changed.values()), held)
    bulk.add_tuples(connection, callbacks, _COPY, copies)
    bulk.add(connection, artifact_table, images)
    outbox.write()
    return verdicts


_COPY = ("id", "job_id", "task_id", "provider", "verdict", "received_at", "headers", "body")


def _copy(arrival: Arrival, verdict: str, task_id: str | None, moment: Moment) -> tuple[Any, ...]:
    said = arrival.reading.task_id if arrival.reading is not None else None
    key = moment.id("cb"), arrival.job_id, said or task_id, arrival.provider
    return *key, verdict, moment.now, arrival.headers, arrival.body
