"""Where the time of an attempt went, as a small bar with a text beside it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from postback.dashboard import words

WIDTH = 300
THINNEST = 2
"""What took any time at all is seen."""

_NAMES = {"dns": "name lookup", "connect": "connecting", "tls": "TLS", "response": "waiting for the answer"}


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase: its `key`, such as `tls`, its name, its milliseconds, and its part of the bar."""

    key: str
    name: str
    took: int
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Bar:
    """The phases that happened, and the same in words."""

    phases: list[Phase]
    says: str


def bar(timing: Mapping[str, object] | None) -> Bar | None:
    """The bar of an attempt's `timing`; None where nothing was timed."""
    spent = {key: took for key in _NAMES if isinstance(took := (timing or {}).get(key), int) and took >= 0}
    if not spent:
        return None
    total = max(1, sum(spent.values()))
    # Also the thinnest must fit in, so the others share what these leave.
    room = WIDTH - THINNEST * len(spent)
    phases, x = [], 0.0
    for key, took in spent.items():
        width = THINNEST + room * took / total
        phases.append(Phase(key, _NAMES[key], took, round(x, 1), round(width, 1)))
        x += width
    return Bar(phases, ", ".join(f"{one.name} {words.duration(one.took)}" for one in phases))
