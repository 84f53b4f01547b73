"""How a queue of deliveries is doing, and what follows for it. Pure: facts in, decisions out.

A lane is a subscriber's queue, or that of all one-off URLs at one host. Its circuit opens after repeated failures: then
nothing is sent for a while, and after that one delivery at a time until one arrives.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any, Self

from ledger.clock import DAY, SECOND, rfc3339

DEFAULT_MAX_IN_FLIGHT = 10

SUSPECT = 5
"""Consecutive failures after which a lane gets few deliveries at once: many that hang must leave room for others."""

SUSPECT_ROOM = 2

FIRST_SPACING = 100.0
"""Milliseconds between two sends when a subscriber first asks to be slowed down; doubled each further time."""

MAX_SPACING = 60_000.0
EASED = 0.95
"""What a success makes of the spacing; below `NO_SPACING` milliseconds it is forgotten."""

NO_SPACING = 10.0

WARN_AFTER = 1 * DAY
DISABLE_AFTER = 5 * DAY
"""How long every attempt must have failed until the operators are warned, and until a subscriber is disabled."""


@dataclass(frozen=True, slots=True)
class Circuit:
    """How many consecutive failures open it, and for how many milliseconds."""

    failures: int = 50
    cooldown: int = 30 * SECOND


@dataclass(frozen=True, slots=True)
class Report:
    """How an attempt ended. `busy`: the subscriber asked to be slowed down; `pause` is for how many milliseconds."""

    good: bool
    started_at: int
    busy: bool = False
    pause: int = 0


class Trouble(StrEnum):
    """What must be said of a lane that keeps failing."""

    NONE = "none"
    WARN = "warn"
    DISABLE = "disable"


@dataclass(frozen=True, slots=True)
class Lane:
    """One row of `lanes`; the fields are its columns."""

    key: str
    failures: int = 0
    failing_since: int | None = None
    warned_at: int | None = None
    paused_until: int | None = None
    probing: bool = False
    slowed_at: int | None = None
    spacing: float = 0.0
    next_at: float = 0.0

    @classmethod
    def of(cls, row: Sequence[Any]) -> Self:
        """The lane of a row that begins with all its columns."""
        return cls(*row[: len(fields(cls))])

    @property
    def calm(self) -> bool:
        """Whether a success would change nothing."""
        return not (self.failures or self.probing or self.spacing or self.paused_until)

    @property
    def state(self) -> str:
        """`healthy`, `failing` (some attempts failed since one arrived) or `open` (its circuit is)."""
        return "open" if self.probing else "failing" if self.failures else "healthy"

    def document(self, now: int) -> dict[str, Any]:
        """How the lane is doing at `now`, on the wire."""
        pause = None if self.paused_until is None or self.paused_until <= now else self.paused_until
        return {
            "state": self.state if pause is None or self.probing else "paused",
            "consecutive_failures": self.failures,
            "failing_since": None if self.failing_since is None else rfc3339(self.failing_since),
            "paused_until": None if pause is None else rfc3339(pause),
        }

    def after(self, report: Report, now: int, circuit: Circuit) -> Self:
        """The lane after an attempt that has just ended."""
        return self._better(report) if report.good else self._worse(report, now, circuit)

    def trouble(self, now: int) -> Trouble:
        """What its failing since so long calls for, at the end of a failed attempt."""
        if self.failing_since is None:
            return Trouble.NONE
        if now - self.failing_since >= DISABLE_AFTER:
            return Trouble.DISABLE
        return Trouble.WARN if self.warned_at is None and now - self.failing_since >= WARN_AFTER else Trouble.NONE

    def interval(self, rate_limit: float | None) -> float:
        """Milliseconds between two sends; 0 is no limit. `rate_limit` is in sends a second."""
        return max(self.spacing, SECOND / rate_limit if rate_limit else 0.0)

    def room(self, allowed: int, busy: int) -> int:
        """How many more may be sent at once, where `allowed` may be and `busy` are already."""
        if self.probing:
            allowed = 1
        elif self.failures >= SUSPECT:
            allowed = min(allowed, SUSPECT_ROOM)
        return max(0, allowed - busy)

    def _better(self, report: Report) -> Self:
        spacing = self.spacing * EASED
        return replace(
            self,
            failures=0,
            failing_since=None,
            warned_at=None,
            probing=False,
            # A pause that the subscriber asked for outlasts the success of what was under way then, and no other.
            paused_until=None if self.probing or report.started_at > (self.slowed_at or 0) else self.paused_until,
            spacing=spacing if spacing >= NO_SPACING else 0.0,
        )

    def _worse(self, report: Report, now: int, circuit: Circuit) -> Self:
        failures = self.failures + 1
        probing = failures >= circuit.failures
        pause = max(report.pause, circuit.cooldown if probing else 0)
        lane = replace(
            self,
            failures=failures,
            failing_since=now if self.failing_since is None else self.failing_since,
            probing=probing,
            paused_until=max(self.paused_until or 0, now + pause) if pause else self.paused_until,
        )
        # Attempts that were under way together ask for one slowing down, not for one each.
        if report.busy and (self.slowed_at is None or report.started_at > self.slowed_at):
            slower = min(MAX_SPACING, max(FIRST_SPACING, self.spacing * 2))
            lane = replace(lane, slowed_at=now, spacing=slower)
        return lane
