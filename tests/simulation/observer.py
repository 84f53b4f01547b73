"""Watches every transaction and everything that leaves or enters, and stops the run where a rule is broken."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .invariants import ENDED, INVARIANTS, Step
from .plan import Plan, Reader
from .provider import Task
from .record import Record
from .store import Store

KEPT = 10
"""How many callbacks of one verdict are kept of a job; the others are only counted."""


@dataclass(frozen=True)
class Violation:
    """A broken rule: which, and how."""

    rule: str
    complaint: str


@dataclass(frozen=True)
class Event:
    """One line of the trace; `step` is the transaction that it tells of, if any."""

    at: int
    who: str
    what: str
    step: Step | None = None


class Observer:
    """The judge of one run. `readers` are the subscribers by id."""

    def __init__(self, store: Store, plan: Plan, readers: Mapping[str, Reader]) -> None:
        self.record = Record.of(store)
        self.events: list[Event] = []
        self.counts: Counter[str] = Counter()
        self.violation: Violation | None = None
        self.tasks: dict[str, str] = {}
        self.timely = True
        self._store = store
        self._plan = plan
        self._readers = readers
        self._holders: dict[tuple[str, int], str] = {}
        self._spent: set[tuple[str, int]] = set()
        self._taken: Counter[str] = Counter()
        self._acknowledged: Counter[tuple[str, bytes]] = Counter()
        self._open: Counter[tuple[str, str]] = Counter()
        self._judged: Record | None = None
        self._at_rest = False

    def say(self, at: int, who: str, what: str) -> None:
        """Something happened that is worth a line and a count: the count goes by the words before a colon."""
        self.events.append(Event(at, who, what))
        self.counts[what.partition(":")[0]] += 1

    def breaks(self, rule: str, complaint: str) -> None:
        """A rule is broken. The first counts."""
        self.violation = self.violation or Violation(rule, complaint)

    def committed(self, at: int, process: str, name: str, now: int) -> None:
        """A transaction that wrote something."""
        before, self.record = self.record, Record.of(self._store)
        after = self.record
        step = Step(
            process,
            name,
            now,
            before,
            after,
            self._plan,
            self._holders,
            frozenset(self._spent),
            self._readers,
            self.tasks,
        )
        self.events.append(Event(at, process, name, step))
        for invariant in INVARIANTS:
            for complaint in invariant(step):
                self.breaks(invariant.__name__, complaint)
        for job, moved in step.changed_jobs:
            if moved.lease > job.lease:
                self._holders[moved.id, moved.lease] = process
        for delivery, settled in step.changed_deliveries:
            if settled.lease > delivery.lease:
                self._holders[settled.id, settled.lease] = process
            if settled.attempt_count > delivery.attempt_count:
                self._spent.add((delivery.id, delivery.lease))

    def took(self, at: int, provider: str, task: Task) -> None:
        """A provider took a job, which is paid: at most one for each that somebody asked for."""
        self.tasks[task.id] = task.prompt
        self._taken[task.prompt] += 1
        self.say(at, provider, f"takes: {task.prompt} as {task.id}")
        asked = sum(job.prompt == task.prompt for job in self.record.jobs.values())
        if self._taken[task.prompt] > asked:
            self.breaks(
                "a_job_is_paid_once", f"{task.prompt} was taken {self._taken[task.prompt]} times, for {asked} jobs"
            )

    def acknowledged(self, at: int, process: str, job_id: str, body: bytes) -> None:
        """A callback was answered 2xx: it is in the ledger."""
        self.say(at, process, f"acknowledges: a callback for {self.name(job_id)}")
        self._acknowledged[job_id, body] += 1
        stored = self._one("SELECT count(*) FROM callbacks WHERE job_id = ? AND body = ?", job_id, body)
        told = self._one(
            "SELECT coalesce(sum(value), 0) FROM jobs, json_each(callback_counts) WHERE jobs.id = ?", job_id
        )
        # Of many more only the first few are kept, and the others are counted.
        if stored < self._acknowledged[job_id, body] and told <= KEPT:
            self.breaks(
                "what_is_acknowledged_is_stored", f"a callback for {self.name(job_id)} was answered 2xx and is gone"
            )
        answered = sum(count for (one, _), count in self._acknowledged.items() if one == job_id)
        if answered > told + self._one(
            "SELECT count(*) FROM callbacks WHERE job_id = ? AND verdict = 'accepted'", job_id
        ):
            self.breaks(
                "what_is_acknowledged_is_counted", f"{answered} callbacks for {self.name(job_id)} were answered 2xx"
            )

    def sending(self, process: str, reader: Reader) -> None:
        """A POST to a subscriber leaves. Only where nobody was stopped and no clock stepped is all of it in time."""
        self.counts["sends"] += 1
        self._open[process, reader.name] += 1
        sent = sum(count for (_, name), count in self._open.items() if name == reader.name)
        if self.timely and sent > reader.max_in_flight:
            self.breaks("nobody_gets_more_at_once_than_it_allows", f"{sent} POSTs to {reader.name} are open")

    def sent(self, process: str, reader: Reader) -> None:
        """A POST has ended."""
        self._open[process, reader.name] -= 1

    def died(self, process: str) -> None:
        """What a process had open ended with it."""
        self._open = Counter({key: count for key, count in self._open.items() if key[0] != process})

    def name(self, job_id: str) -> str:
        """What a trace calls a job."""
        job = self.record.jobs.get(job_id)
        return job_id if job is None else job.prompt

    @property
    def at_rest(self) -> bool:
        """Whether there is nothing left that somebody has to move on."""
        if self._judged is not self.record:
            self._judged, self._at_rest = self.record, not any(self.restless())
        return self._at_rest

    def restless(self) -> Iterator[str]:
        """What somebody still has to move on."""
        for job in self.record.jobs.values():
            unresolved = job.status == "unconfirmed" and job.provider == "dashscope" and job.due_at is not None
            if unresolved or job.status not in (*ENDED, "lost", "unconfirmed"):
                yield f"{job.prompt} is {job.status}, due at {job.due_at}"
        for delivery in self.record.deliveries.values():
            if delivery.status in ("pending", "delivering"):
                yield f"{delivery.id} is {delivery.status}, due at {delivery.due_at}"

    def ended(self) -> None:
        """At the end of a run nothing may be left without a reason."""
        for complaint in self.restless():
            self.breaks("everything_comes_to_rest", complaint)
        told = {row[0] for row in self._store.rows("SELECT job_id FROM history WHERE type = 'unconfirmed'")}
        for job in self.record.jobs.values():
            self.counts[f"job {job.status}"] += 1
            if job.status == "unconfirmed" and job.id not in told:
                self.breaks("an_unconfirmed_job_has_a_reason", f"{job.prompt} has none")
        for delivery in self.record.deliveries.values():
            self.counts[f"delivery {delivery.status}"] += 1

    def _one(self, query: str, *values: str | bytes) -> int:
        return int(self._store.raw.execute(query, values).fetchone()[0])
