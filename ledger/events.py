"""What is told: the event types, and which state of a job is which of them."""

from collections.abc import Iterable
from functools import lru_cache

DEFAULT_EVENTS = ("job.succeeded", "job.failed", "job.canceled", "job.lost", "job.unconfirmed")
JOB_EVENTS = ("job.submitted", "job.running", *DEFAULT_EVENTS, "job.archived")
OPERATOR_EVENTS = ("subscriber.failing", "subscriber.disabled", "delivery.dead")
EVENTS = (*JOB_EVENTS, *OPERATOR_EVENTS, "postback.ping")

KINDS = tuple(dict.fromkeys(event.partition(".")[0] + ".*" for event in EVENTS))
"""Patterns for all events of a kind, e.g. `job.*`."""

EVENT_OF_STATE = {"pending": "job.submitted"} | {
    state: f"job.{state}" for state in ("running", "succeeded", "failed", "canceled", "lost", "unconfirmed", "archived")
}
"""What is announced of a state. `archived` is a succeeded job whose images are copied, as far as they could be."""

ONLY_IF_WANTED = ("job.submitted", "job.running", "job.archived", *OPERATOR_EVENTS)
"""Steps on the way and after, and news for operators: recorded only when somebody listens, so that a job costs one
notification."""


def wants(events: Iterable[str], event: str) -> bool:
    """Whether somebody with these event types gets that one. `*` is all, `job.*` all of a kind."""
    return _wants(tuple(events), event)


@lru_cache(maxsize=1_024)  # the same few are asked for every callback
def _wants(events: tuple[str, ...], event: str) -> bool:
    return any(
        pattern in ("*", event) or (pattern.endswith(".*") and event.startswith(pattern[:-1])) for pattern in events
    )
