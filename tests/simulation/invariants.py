"""What must hold after every transaction. Each is a function from one step to its complaints.

They know the product's state machines, which are data, and none of its code: what a rule means is written again here.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ledger.clock import SECOND
from ledger.lifecycle import DELIVERY, JOB, State

from .plan import EVERYTHING, Plan, Reader
from .record import DeliveryRow, JobRow, Record

ENDED = ("succeeded", "failed", "canceled")
TOLD = (*ENDED, "lost", "unconfirmed")
SETTLING = ("submissions.settle", "polls.settle")
JITTER = 0.9
ADOPTABLE = 3 * SECOND
"""How wrong a clock may be for a task in the provider's list to be told from another."""


@dataclass(frozen=True)
class Step:
    """One transaction: who did what at which time of its own clock, and the record before and after.

    `holders` says which process claimed a delivery or job under which lease; `spent` are the claims of deliveries that
    were settled before. `readers` are the subscribers by id; `tasks` says whose prompt a task is.
    """

    process: str
    name: str
    now: int
    before: Record
    after: Record
    plan: Plan
    holders: Mapping[tuple[str, int], str]
    spent: frozenset[tuple[str, int]]
    readers: Mapping[str, Reader]
    tasks: Mapping[str, str]

    @property
    def changed_jobs(self) -> Iterator[tuple[JobRow, JobRow]]:
        """Jobs before and after, those that changed."""
        for job in self.after.jobs.values():
            before = self.before.jobs.get(job.id)
            if before is not None and before != job:
                yield before, job

    @property
    def changed_deliveries(self) -> Iterator[tuple[DeliveryRow, DeliveryRow]]:
        """Deliveries before and after, those that changed."""
        for delivery in self.after.deliveries.values():
            before = self.before.deliveries.get(delivery.id)
            if before is not None and before != delivery:
                yield before, delivery


def jobs_keep_to_their_lifecycle(step: Step) -> Iterator[str]:
    for before, after in step.changed_jobs:
        if after.status != before.status and not _reachable(JOB, before.status, after.status):
            yield f"{after.id} went from {before.status} to {after.status}"


def deliveries_keep_to_their_lifecycle(step: Step) -> Iterator[str]:
    for before, after in step.changed_deliveries:
        if after.status != before.status and not _reachable(DELIVERY, before.status, after.status):
            yield f"{after.id} went from {before.status} to {after.status}"


def an_outcome_never_changes(step: Step) -> Iterator[str]:
    for before, after in step.changed_jobs:
        if before.status in ENDED and _outcome(before) != _outcome(after):
            yield f"{after.id} was {_outcome(before)} and is {_outcome(after)}"


def nothing_is_forgotten(step: Step) -> Iterator[str]:
    for name in ("jobs", "deliveries", "notifications", "attempts"):
        gone = getattr(step.before, name).keys() - getattr(step.after, name).keys()
        if gone:
            yield f"{', '.join(sorted(gone))} of {name} is gone"


def each_state_is_told_of_once(step: Step) -> Iterator[str]:
    told = Counter((one.job_id, one.type) for one in step.after.notifications.values() if one.job_id is not None)
    for (job_id, event), count in told.items():
        if count > 1:
            yield f"{job_id} told of {event} {count} times"
    counts = Counter(job_id for job_id, _ in told.elements())
    for job in step.after.jobs.values():
        if job.sequence != counts[job.id]:
            yield f"{job.id} counts {job.sequence} notifications and has {counts[job.id]}"
        if job.status in TOLD and not told[job.id, f"job.{job.status}"]:
            yield f"{job.id} is {job.status} and nobody is told"


def whoever_wants_to_know_has_one_delivery(step: Step) -> Iterator[str]:
    found = Counter((one.notification_id, one.subscriber_id) for one in step.after.deliveries.values())
    for one in step.after.notifications.values():
        if one.job_id is None:
            continue
        for subscriber_id, reader in step.readers.items():
            wanted = reader.events == EVERYTHING or one.type in reader.events
            if found[one.id, subscriber_id] != wanted:
                yield f"{one.id} ({one.type}) has {found[one.id, subscriber_id]} deliveries for {reader.name}"


def nothing_is_sent_before_its_time(step: Step) -> Iterator[str]:
    for before, after in step.changed_deliveries:
        if after.lease > before.lease and after.status == "delivering" and (before.due_at or 0) > step.now:
            yield f"{after.id} was claimed {(before.due_at or 0) - step.now} ms before it was due"


def retries_keep_to_the_schedule(step: Step) -> Iterator[str]:
    schedule = step.plan.schedule
    for before, after in step.changed_deliveries:
        tries = after.attempt_count - after.attempts_before
        if tries > len(schedule):
            yield f"{after.id} was tried {tries} times, and its schedule has {len(schedule)}"
        elif after.attempt_count > before.attempt_count and after.status == "pending":
            last = step.after.attempts[after.id][-1]
            ended_at = last.started_at + last.duration_ms
            if ended_at > step.now:
                continue  # the clock stepped back meanwhile: nobody can say how long it waits
            wait = (after.due_at or 0) - ended_at
            # A clock that stepped back during the attempt makes the wait look shorter by as much.
            if tries == len(schedule) or wait < schedule[tries] * JITTER - 1 - step.plan.steps_back:
                yield f"{after.id} is tried again after {wait} ms, against its schedule"


def attempts_are_numbered_without_gaps(step: Step) -> Iterator[str]:
    for delivery in step.after.deliveries.values():
        numbers = [one.number for one in step.after.attempts.get(delivery.id, [])]
        if numbers != list(range(1, delivery.attempt_count + 1)):
            yield f"{delivery.id} counts {delivery.attempt_count} attempts and has {numbers}"


def only_its_holder_settles_a_delivery(step: Step) -> Iterator[str]:
    for before, after in step.changed_deliveries:
        claim = (before.id, before.lease)
        if after.attempt_count == before.attempt_count:
            continue
        if step.holders.get(claim) != step.process:
            yield f"{after.id} is held by {step.holders.get(claim)} under lease {before.lease}"
        if claim in step.spent:
            yield f"{after.id} was settled before under lease {before.lease}"


def only_its_holder_settles_a_job(step: Step) -> Iterator[str]:
    if step.name in SETTLING:
        for before, after in step.changed_jobs:
            holder = step.holders.get((before.id, before.lease))
            if holder != step.process:
                yield f"{after.id} is held by {holder} under lease {before.lease}"


def nobody_gets_more_at_once_than_it_allows(step: Step) -> Iterator[str]:
    if step.name == "parcels.claim":
        sending = Counter(
            one.subscriber_id
            for one in step.after.deliveries.values()
            if one.status == "delivering" and (one.due_at or 0) > step.now
        )
        for subscriber_id, count in sending.items():
            if count > step.readers[subscriber_id].max_in_flight:
                yield f"{step.readers[subscriber_id].name} is sent {count} at once"


def a_job_has_its_own_task(step: Step) -> Iterator[str]:
    if any(abs(size) > ADOPTABLE for _, _, size in step.plan.skews):
        return  # tasks are told apart by when they were made: a clock that is an hour wrong cannot
    for job in step.after.jobs.values():
        if job.provider == "dashscope" and job.task_id and step.tasks.get(job.task_id) != job.prompt:
            yield f"{job.id} ({job.prompt}) has {job.task_id}, which is that of {step.tasks.get(job.task_id)}"


Invariant = Callable[[Step], Iterator[str]]
INVARIANTS: tuple[Invariant, ...] = (
    jobs_keep_to_their_lifecycle,
    deliveries_keep_to_their_lifecycle,
    an_outcome_never_changes,
    nothing_is_forgotten,
    each_state_is_told_of_once,
    whoever_wants_to_know_has_one_delivery,
    nothing_is_sent_before_its_time,
    retries_keep_to_the_schedule,
    attempts_are_numbered_without_gaps,
    only_its_holder_settles_a_delivery,
    only_its_holder_settles_a_job,
    nobody_gets_more_at_once_than_it_allows,
    a_job_has_its_own_task,
)


def _reachable(machine: Mapping[str, State], status: str, to: str) -> bool:
    """Whether one transaction may move it so far: a job can pass a state on its way, but not be sent on the way."""
    passed = [step for step in machine[status].to if step not in ("queued", "submitting", "delivering")]
    return to in machine[status].to or any(to in machine[step].to for step in passed if machine is JOB)


def _outcome(job: JobRow) -> tuple[str | int | None, ...]:
    return job.status, job.results, job.error, job.finished_at
