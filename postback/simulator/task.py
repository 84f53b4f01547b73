"""One simulated job. Where it stands is a pure function of the job and the time."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from postback.simulator.script import Script

KEPT = 24 * 3600.0
"""Seconds that a finished task is remembered, as DashScope documents."""


class State(StrEnum):
    """DashScope's words; AceData has none of its own."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Task:
    """A job that was accepted. Times are seconds since the epoch.

    `count` is how many images were asked for. `images` holds a URL for each, None for each that fails, and nothing
    at all for a success without results. `fault` is the error code of a job that fails. `request` is the body as
    submitted.
    """

    id: str
    provider: str
    account: str
    service: str
    model: str
    prompt: str
    request: Mapping[str, Any]
    script: Script
    seed: int
    count: int
    images: tuple[str | None, ...]
    fault: str | None
    submitted_at: float
    started_at: float
    finished_at: float
    canceled_at: float | None = None

    @property
    def made(self) -> int:
        """How many images a success counts as made."""
        return self.count - self.images.count(None)

    @property
    def ended_at(self) -> float:
        return self.finished_at if self.canceled_at is None else self.canceled_at

    def state(self, now: float) -> State:
        if self.canceled_at is None and now < self.started_at:
            return State.PENDING
        if self.canceled_at is None and now < self.finished_at:
            return State.RUNNING
        if self.script.vanish or self.forgotten(now):
            return State.UNKNOWN
        if self.canceled_at is not None:
            return State.CANCELED
        return State.SUCCEEDED if self.fault is None else State.FAILED

    def forgotten(self, now: float) -> bool:
        return now >= self.ended_at + KEPT
