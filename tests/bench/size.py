"""How much is measured: all of it within minutes, or a look at each line within one."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """`rounds` is how often each is measured beside what it is measured against; `seconds` how long each load lasts."""

    rounds: int
    callbacks: int
    deliveries: int
    seconds: float
    lives: int
    """Jobs whose statements are counted."""
    crowd: int
    """Jobs in flight, in virtual time."""
    starts: int
    heap: int = 1_000_000
    """Rows of each kind that `--growth` measures with, against a thousand."""


FULL = Size(rounds=5, callbacks=8_000, deliveries=4_000, seconds=6, lives=2_000, crowd=10_000, starts=7)
QUICK = Size(rounds=1, callbacks=1_000, deliveries=500, seconds=1, lives=300, crowd=500, starts=1)
