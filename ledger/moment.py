"""What a transaction may know of the world: the time, read once, and randomness."""

from dataclasses import dataclass

from ledger.ids import Ids


@dataclass(frozen=True, slots=True)
class Moment:
    """`now` is in UTC milliseconds; `first_delay` is how long after its notification a delivery is first due."""

    now: int
    ids: Ids
    first_delay: int = 0

    def id(self, prefix: str) -> str:
        """A new id made now."""
        return self.ids.new(prefix, self.now)
