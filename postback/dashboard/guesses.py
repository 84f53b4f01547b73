"""Failed sign-ins, counted: who guesses at keys gets a few tries a minute, from wherever they come."""

from collections import deque

from ledger.clock import MINUTE, Clock

MAX_FAILURES = 10
WITHIN = 1 * MINUTE


class Guesses:
    """The failures of one process within the last minute.

    They are not told apart by address: behind a proxy all have one, and who guesses has many. A one-time link still
    signs in while guesses are refused.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: deque[int] = deque(maxlen=MAX_FAILURES)

    def wait(self) -> int:
        """How many milliseconds there must be no further try; 0 if one may be made now."""
        if len(self._failures) < MAX_FAILURES:
            return 0
        return max(0, self._failures[0] + WITHIN - self._clock())

    def failed(self) -> None:
        """A try was made, and was wrong."""
        self._failures.append(self._clock())
