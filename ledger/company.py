"""Who goes into a transaction together. Pure: counts and the time in, decisions out."""

WORTH = 16
"""From how many items on a piece of work is worth sending to another process."""

MAX_SIZE = 128
PART = 2 * WORTH
"""From how many on those that wait go in two parts, one of which is written while the other is read: two small batches
cost the database what two large ones do."""

AGAIN = 0.003
"""Within how many seconds those that were answered together may come again, and are waited for."""


class Company:
    """What the last answers say of those to come. `at_once` is how many batches may be under way."""

    def __init__(self) -> None:
        self._size = 0
        self._until = 0.0

    def complete(self, waiting: int) -> bool:
        """Whether so many are as many as may be expected."""
        return waiting >= self._size

    def expected_until(self, waiting: int, now: float) -> float | None:
        """Until when so many wait for others; None where that is not worth it. Times are in seconds."""
        return None if self.complete(waiting) or now >= self._until else self._until

    def worth_another(self, waiting: int, under_way: int, at_once: int) -> bool:
        """Whether so many that wait go before the last batch has come back."""
        return waiting >= max(PART, self._size) and under_way < at_once

    def most(self, waiting: int, away: int, at_once: int) -> int:
        """How many of those that wait go now: all, or a half of them and of those that are `away`, where the other half
        is to be under way meanwhile."""
        if at_once == 1:
            return MAX_SIZE
        return min(MAX_SIZE, max(PART, self._size, (waiting + away + 1) // 2))

    def answered(self, here: int, at_once: int, now: float) -> None:
        """Some were just answered; there are so many with them, those that wait and those that are away."""
        self._size = min(MAX_SIZE, here // at_once)
        self._until = now + AGAIN
