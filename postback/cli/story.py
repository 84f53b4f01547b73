"""What happened to a job, read for a person: pure decisions on what to show and what to say of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from itertools import pairwise
from typing import Any

from postback.cli import times
from receiver.advice import advise

Document = Mapping[str, Any]


class Mark(Enum):
    """What kind of step it is."""

    DONE = "done"
    FAILED = "failed"
    DOUBT = "doubt"
    WAITS = "waits"
    STEP = "step"


_MARKS = {
    **dict.fromkeys(("succeeded", "delivered", "accepted", "adopted", "artifact"), Mark.DONE),
    **dict.fromkeys(("failed", "dead", "refused", "invalid"), Mark.FAILED),
    **dict.fromkeys(
        ("lost", "unconfirmed", "conflicting", "not_found", "put_back", "held", "warning", "canceled", "skipped"),
        Mark.DOUBT,
    ),
    **dict.fromkeys(("queued", "submitting", "pending", "running", "delivering", "next_attempt"), Mark.WAITS),
}
"""By state, by verdict and by type of an entry; anything else is a mere step."""

SHOWN_EXCERPT = 80
"""How many characters of an answer the timeline shows."""

_OF_DELIVERIES = ("delivery", "attempt", "next_attempt", "delivered", "dead", "skipped")


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a timeline. `after` is in seconds, since the line before."""

    at: datetime
    mark: Mark
    text: str
    after: float | None = None
    number: int | None = None
    """Of an attempt."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a person should know first, what to do about it, and the command for that."""

    mark: Mark
    text: str
    hints: tuple[str, ...] = ()
    command: str | None = None


@dataclass(frozen=True, slots=True)
class Story:
    """A job as the API tells it. `deliveries` have their `attempts`; `urls` are those of subscribers, by id."""

    job: Document
    timeline: Sequence[Document]
    deliveries: Sequence[Document] = ()
    urls: Mapping[str, str] = field(default_factory=dict)

    @property
    def settled(self) -> bool:
        """Whether nothing more happens by itself."""
        owed = any(delivery["status"] in ("pending", "delivering") for delivery in self.deliveries)
        return self.job["status"] in ("succeeded", "failed", "canceled", "lost") and not owed

    @property
    def steps(self) -> list[Step]:
        """What happened to the job itself; its deliveries are told for themselves."""
        own = [entry for entry in self.timeline if entry["type"] not in _OF_DELIVERIES]
        return _spaced([Step(times.moment(one["at"]), _mark(one), one["summary"]) for one in own])

    def target(self, delivery: Document) -> str:
        """Where it goes."""
        return self.urls.get(delivery["subscriber_id"], delivery["subscriber_id"])


def mark_of(state: str) -> Mark:
    """The mark of a job's or a delivery's state."""
    return _MARKS.get(state, Mark.STEP)


def tries(delivery: Document) -> list[Step]:
    """The attempts of a delivery, one line each."""
    return _spaced(
        [
            Step(
                times.moment(one["started_at"]),
                Mark.FAILED if one["error_class"] else Mark.DONE,
                _tried(one),
                number=one["number"],
            )
            for one in delivery.get("attempts") or ()
        ]
    )


def findings(story: Story, now: datetime) -> Iterator[Finding]:
    """What stands at the top: how the job ended, and of each delivery that is not there which attempt failed, and why.

    Where all is well it says so.
    """
    yield from _of_job(story.job)
    arrived = sum(delivery["status"] == "delivered" for delivery in story.deliveries)
    if arrived:
        yield Finding(Mark.DONE, f"delivered to {arrived} {'subscriber' if arrived == 1 else 'subscribers'}")
    missing: dict[str, list[Document]] = {}
    for delivery in story.deliveries:
        if delivery["status"] != "delivered":
            missing.setdefault(story.target(delivery), []).append(delivery)
    for target, those in missing.items():
        yield _of_delivery(those[-1], _where(those, target), now)
    for entry in story.timeline:
        if entry["type"] == "notification" and "nobody was told" in entry["summary"]:
            yield Finding(Mark.DOUBT, entry["summary"])


_ENDED = {"failed": "failed", "lost": "is lost", "unconfirmed": "is unconfirmed: nobody knows whether it was started"}


def _of_job(job: Document) -> Iterator[Finding]:
    error, status = job.get("error"), job["status"]
    warnings = job.get("warnings") or ()
    hints = tuple(one.removeprefix("hint: ") for one in warnings if one.startswith("hint: "))
    if status in ("failed", "lost", "unconfirmed"):
        why = f": {error['code']}: {error['message']}" if error else ""
        yield Finding(mark_of(status), f"the job {_ENDED[status]}{why}", hints, f"postback jobs resubmit {job['id']}")
    for warning in warnings:
        if not warning.startswith("hint: "):
            yield Finding(Mark.DOUBT, f"warning: {warning}")


def _where(deliveries: Sequence[Document], target: str) -> str:
    """Of several to one place the newest stands for all: they mostly fail alike."""
    others = f" (and {len(deliveries) - 1} more)" if len(deliveries) > 1 else ""
    return f"{deliveries[-1]['type']}{others} to {target}"


def _of_delivery(delivery: Document, what: str, now: datetime) -> Finding:
    last = next(reversed(delivery.get("attempts") or ()), None)
    which = "" if last is None else f"attempt {last['number']}{', the last,' if delivery['status'] == 'dead' else ''}"
    why = f"{which} failed with {_failure(last)}" if last else delivery["last_error"] or "not sent yet"
    status, again = delivery["status"], f"postback deliveries redeliver {delivery['id']}"
    advice = advise(last["error_class"], last["status_code"], last["error"]) if last else None
    hints = (advice,) if advice else ()
    match status:
        case "pending" if last is None:
            return Finding(Mark.WAITS, f"{what}: {_next(delivery, now)}")
        case "pending":
            return Finding(Mark.DOUBT, f"{what}: {why}; {_next(delivery, now)}", hints, f"{again} --now")
        case "delivering":
            return Finding(Mark.WAITS, f"{what}: attempt {delivery['attempt_count'] + 1} is under way")
        case "skipped":
            return Finding(Mark.DOUBT, f"{what} was not sent: {delivery['last_error']}", hints, again)
    return Finding(Mark.FAILED, f"{what} is dead: {why}", hints, again)


def _next(delivery: Document, now: datetime) -> str:
    number = delivery["attempt_count"] + 1
    due = delivery["next_attempt_at"]
    return f"attempt {number} {times.until(times.moment(due), now)}" if due else f"attempt {number} is due"


def waiting(delivery: Document, now: datetime) -> Step | None:
    """The attempt that comes next, counting down; None where none does."""
    due = delivery["next_attempt_at"]
    if delivery["status"] != "pending" or due is None:
        return None
    left = times.until(times.moment(due), now)
    return Step(times.moment(due), Mark.WAITS, f"next attempt {left}", number=delivery["attempt_count"] + 1)


def _mark(entry: Document) -> Mark:
    return _MARKS.get(entry.get("verdict") or entry["type"], Mark.STEP)


def _tried(attempt: Document) -> str:
    by = "" if attempt["trigger"] == "schedule" else f", {attempt['trigger']}"
    spent = times.span(attempt["duration_ms"] / 1000)
    if attempt["error_class"] is None:
        return f"HTTP {attempt['status_code']} in {spent}{by}"
    answer = " ".join((attempt["response_excerpt"] or "").split())[:SHOWN_EXCERPT]
    return f"{_failure(attempt)} in {spent}{by}" + (f" | {answer}" if answer else "")


def _failure(attempt: Document) -> str:
    kind = attempt["error_class"]
    named = f"HTTP {attempt['status_code']}" if kind == "status" else kind
    said = attempt["error"]
    return named if not said or str(attempt["status_code"]) in said else f"{named}: {said}"


def _spaced(steps: Sequence[Step]) -> list[Step]:
    """The steps, each with the time since the one before."""
    later = [
        Step(step.at, step.mark, step.text, (step.at - before.at).total_seconds(), step.number)
        for before, step in pairwise(steps)
    ]
    return [*steps[:1], *later]
