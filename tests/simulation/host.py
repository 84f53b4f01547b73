"""Where a process runs, and what happens to it there."""

from dataclasses import dataclass
from math import inf

from .process import Process


@dataclass(frozen=True)
class Fate:
    """After how many callbacks, requests or claims something happens to a process, whatever comes first."""

    callbacks: float = inf
    requests: float = inf
    claims: float = inf


@dataclass
class Host:
    """Where one process runs: its clock's error in milliseconds, and the process, None while there is none.

    `dies` and `stops` say when: after how many callbacks, after how many requests of its own, one more under way, or
    after how many claims, of which nothing has followed yet.
    """

    name: str
    skew: int
    process: Process | None = None
    starts: int = 0
    requests: int = 0
    claims: int = 0
    dies: Fate | None = None
    stops: Fate | None = None

    def meets(self, fate: Fate | None, ran: int) -> bool:
        """Whether its time has come."""
        return fate is not None and (
            fate.callbacks <= ran or fate.requests <= self.requests or fate.claims <= self.claims
        )
