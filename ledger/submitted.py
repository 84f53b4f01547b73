"""What the end of a submission makes of its job. Pure."""

from dataclasses import dataclass
from typing import Any

from ledger.clock import SECOND, rfc3339
from ledger.history import Entry
from ledger.job import Job
from ledger.lifecycle import WATCHED_JOB
from ledger.verdict import Fault

FIRST_LOOK = 2 * SECOND
"""How long a provider gets to show a job in its list that we are not sure of."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a submission ended.

    `outcome`: `taken` (the provider has it: `task_id`, next asked about at `due_at`, lost at `deadline_at`), `refused`
    (for good), `put_back` (provably not started; due again at `due_at`) or `unknown` (nobody can know).
    `hint` is what a person can do about a refusal; it goes into the job's warnings.
    `throttled` lowers the `pace` that it was claimed under, and stops it for `retry_after` seconds.
    """

    job_id: str
    lease: int
    outcome: str
    task_id: str | None = None
    due_at: int | None = None
    deadline_at: int | None = None
    fault: Fault | None = None
    hint: str | None = None
    pace: str | None = None
    throttled: bool = False
    retry_after: float | None = None


def settled(job: Job, settlement: Settlement, now: int) -> tuple[Job, Entry | None]:
    """The job after its settlement; the very same job where there is nothing to change."""
    if settlement.outcome == "taken":
        return _taken(job, settlement, now)
    known = job.status == "submitting" or (job.status == "unconfirmed" and settlement.outcome == "refused")
    if not known:
        return job, None
    fault = settlement.fault
    error = None if fault is None else {"code": fault.code, "message": fault.message}
    why = "" if fault is None else f": {fault.code}: {fault.message}"
    match settlement.outcome:
        case "refused":
            moved = job.moved("failed", now, error=error, results=[])
            moved = moved.warned(f"hint: {settlement.hint}") if settlement.hint else moved
            return moved, Entry(job.id, now, "refused", f"the provider refused it{why}")
        case "put_back":
            moved = job.moved("queued", now, due_at=settlement.due_at)
            again = rfc3339(settlement.due_at or now)
            return moved, Entry(job.id, now, "put_back", f"not started{why}; sent again at {again}")
        case "unknown":
            moved = unconfirmed(job, now, error=error)
            return moved, Entry(job.id, now, "unconfirmed", f"the provider may have taken it{why}; not sent again")
    raise ValueError(f"unknown outcome {settlement.outcome}")


def _taken(job: Job, settlement: Settlement, now: int) -> tuple[Job, Entry | None]:
    entry = Entry(job.id, now, "submitted", f"the provider took it as {settlement.task_id}")
    if job.status in ("submitting", "unconfirmed"):
        moved = job.moved(
            "pending",
            now,
            task_id=settlement.task_id,
            submitted_at=now,
            due_at=settlement.due_at,
            deadline_at=settlement.deadline_at,
            error=None,
        )
        return moved, entry
    if job.status in WATCHED_JOB and job.deadline_at is None:
        # A callback that told of progress was faster than this answer.
        watched = job.but(due_at=settlement.due_at, deadline_at=settlement.deadline_at)
        return watched._replace(task_id=job.task_id or settlement.task_id), entry
    if job.task_id is None:
        # A result without a task_id was faster than this answer.
        return job.but(task_id=settlement.task_id), entry
    return job, None


def unconfirmed(job: Job, now: int, **changes: Any) -> Job:
    """The job as one that may have been taken; `due_at` is when the provider's list is first looked at."""
    return job.moved("unconfirmed", now, due_at=now + FIRST_LOOK, polls=0, **changes)
