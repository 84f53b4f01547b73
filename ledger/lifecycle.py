"""The state machines, as data. Everything about which state may follow which is in this file.

The diagrams in the documentation are drawn from these tables.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class State:
    """One state: what it means, who moves it on, and where to. No way out means that it is final."""

    means: str
    moved_by: str
    to: tuple[str, ...] = ()

    @property
    def final(self) -> bool:
        return not self.to


JOB: dict[str, State] = {
    "queued": State(
        "recorded, not yet sent: new, or put back because it provably did not start",
        "the submitter, or a person who cancels; a callback proves that it did start after all",
        ("submitting", "canceled", "pending", "succeeded", "failed"),
    ),
    "submitting": State(
        "being sent; held by one submitter under a lease",
        "that submitter, or a callback that is faster; an expired lease makes it unconfirmed, or queued if unsent",
        ("pending", "succeeded", "failed", "queued", "unconfirmed"),
    ),
    "pending": State(
        "the provider has it and has not begun",
        "the poller or a callback",
        ("running", "succeeded", "failed", "canceled", "lost"),
    ),
    "running": State(
        "the provider works on it",
        "the poller or a callback",
        ("succeeded", "failed", "canceled", "lost"),
    ),
    "unconfirmed": State(
        "we cannot know whether the provider took it; never sent again by itself",
        "a callback, the reconciler, or a person who resubmits it as a new job",
        ("pending", "succeeded", "failed"),
    ),
    "succeeded": State("the provider made at least one image", "nobody"),
    "failed": State("the provider refused it or could not do it", "nobody"),
    "canceled": State("a person took it back before it began", "nobody"),
    "lost": State(
        "the provider no longer knows it, or its deadline passed",
        "a late callback: truth beats our guess",
        ("succeeded", "failed"),
    ),
}

DELIVERY: dict[str, State] = {
    "pending": State(
        "owed; due at its next attempt's time",
        "the forwarder",
        ("delivering", "skipped"),
    ),
    "delivering": State(
        "being sent; held by one forwarder under a lease; an expired lease is due again",
        "that forwarder",
        ("delivered", "pending", "dead", "delivering", "skipped"),
    ),
    "delivered": State("the subscriber answered 2xx", "a person who redelivers", ("pending",)),
    "dead": State("its schedule is used up", "a person who redelivers or recovers", ("pending",)),
    "skipped": State(
        "its subscriber was disabled or deleted",
        "a person who redelivers or recovers, or an attempt that was under way and arrived",
        ("pending", "delivered"),
    ),
}

ARTIFACT: dict[str, State] = {
    "pending": State("owed; due at its next try's time", "the archiver", ("copying", "discarded")),
    "copying": State(
        "being copied; held by one archiver under a lease; an expired lease is due again",
        "that archiver",
        ("stored", "pending", "failed", "copying", "discarded"),
    ),
    "stored": State("kept", "whoever erases its job", ("discarded",)),
    "failed": State("not kept: its schedule is used up, or no try can help", "whoever erases its job", ("discarded",)),
    "discarded": State("its job is erased; the archiver deletes the file and forgets it", "nobody"),
}

OPEN_DELIVERY = ("pending", "delivering")
"""Deliveries still owed. The states that a person may set going again are the others."""

OPEN_ARTIFACT = ("pending", "copying")
"""Artifacts that may still come to be kept."""

IN_FLIGHT_JOB = ("submitting", "pending", "running")
"""Jobs that count against a provider's in-flight limit."""

WATCHED_JOB = ("pending", "running")
"""Jobs that the poller asks about."""

RESUBMITTABLE_JOB = ("failed", "lost", "unconfirmed")
"""Jobs that a person may send again as a new job."""

DELETABLE_JOB = (*(name for name, state in JOB.items() if state.final), "lost")
"""Jobs that may be erased: finished ones."""


def may(machine: dict[str, State], status: str, to: str) -> bool:
    """Whether the machine allows that transition."""
    return to in machine[status].to
