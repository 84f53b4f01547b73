"""Runs seeds, and tells of one that broke a rule: its trace, and how to play it again."""

import gc
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256

from .breaking import broken
from .observer import Event, Observer, Violation
from .plan import Plan, drawn
from .store import Store
from .world import World

COLLECT_EVERY = 20


@dataclass(frozen=True)
class Outcome:
    """How one run ended. `trace` has a line for each event; `lasted` is in virtual milliseconds."""

    plan: Plan
    violation: Violation | None
    observer: Observer
    lasted: int
    steps: int

    @property
    def counts(self) -> Counter[str]:
        """How often what happened."""
        return self.observer.counts

    @property
    def trace(self) -> list[str]:
        """What happened, line by line."""
        return [line for event in self.observer.events for line in _told(event, self.observer)]

    @property
    def digest(self) -> str:
        """Two runs with the same digest are the same."""
        return sha256("\n".join([*self.trace, str(self.lasted), str(self.steps)]).encode()).hexdigest()


def play(seed: int, store: Store, breaking: str | None = None) -> Outcome:
    """One run of a seed."""
    with broken(breaking):
        world = World(drawn(seed), store)
        violation = world.run()
    return Outcome(world.plan, violation, world.observer, world.timeline.now, world.timeline.steps)


def play_all(seeds: Iterable[int], breaking: str | None = None) -> Iterator[Outcome]:
    """Runs of many seeds. What each leaves behind is swept up now and then, because that takes as long as a run."""
    store = Store()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        for number, seed in enumerate(seeds):
            if number % COLLECT_EVERY == 0:
                gc.collect()
            yield play(seed, store, breaking)
    finally:
        gc.enable()
        gc.unfreeze()
        gc.collect()


def told(outcome: Outcome, breaking: str | None, lines: int = 80) -> str:
    """A report for a person: the broken rule, the plan, the last lines of the trace, and how to see it again."""
    assert outcome.violation is not None
    again = f"scripts/simulate --seed {outcome.plan.seed}" + (f" --break {breaking}" if breaking else "")
    return "\n".join(
        [
            f"seed {outcome.plan.seed} breaks {outcome.violation.rule}: {outcome.violation.complaint}",
            "",
            str(outcome.plan),
            "",
            *outcome.trace[-lines:],
            "",
            f"play it again: {again}",
        ]
    )


def _told(event: Event, observer: Observer) -> Iterator[str]:
    head = f"{event.at / 1_000:>10.3f} s  {event.who:<9} "
    if event.step is None:
        yield head + event.what
        return
    step = event.step
    changes = [f"{event.what}:"]
    changes += [f"{new.prompt} {old.status} → {new.status} ({new.lease})" for old, new in step.changed_jobs]
    changes += [f"new {job.prompt} {job.status}" for key, job in step.after.jobs.items() if key not in step.before.jobs]
    changes += [
        f"{one.type} of {observer.name(one.job_id or 'nobody')}"
        for key, one in step.after.notifications.items()
        if key not in step.before.notifications
    ]
    changes += [
        f"{new.id[-6:]} {old.status} → {new.status} ({new.lease}, {new.attempt_count} attempts)"
        for old, new in step.changed_deliveries
    ]
    changes += [
        f"new {one.id[-6:]} {one.status}"
        for key, one in step.after.deliveries.items()
        if key not in step.before.deliveries
    ]
    yield head + changes[0] + " " + ", ".join(changes[1:])
