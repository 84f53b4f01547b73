"""Work that is done in turns: how long it takes until the turn of what comes now."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Turns:
    """Takes the time of turns of up to `size` pieces of work each. `clock` gives seconds.

    It does not count what is left of the turn that runs, nor the next one, which has room for whatever comes: when a
    wait is too long there is always a whole turn waiting, so refusing for that never leaves the database idle.
    """

    def __init__(self, size: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._clock = clock
        self._begun: deque[float] = deque()
        self._ended = 0.0
        self._took = 0.0

    @contextmanager
    def take(self) -> Iterator[None]:
        """One turn, from its beginning to its end. One may begin before the last has ended, and then follows it."""
        self._begun.append(self._clock())
        try:
            yield
        finally:
            spent = self._running()
            self._begun.popleft()
            self._ended = self._clock()
            # One that met another's lock says little about those to come.
            self._took = (self._took + spent) / 2 if self._took else spent

    def wait(self, waiting: int) -> float:
        """Seconds until the turn of one more piece, where so many wait: whole turns before it, each as long as the last
        few, or as the last to begin has been running."""
        turns = waiting // self._size
        return turns * max(self._took, self._running()) if turns else 0.0

    def _running(self) -> float:
        """For how long the turn that is running has been: one that began earlier waited for the one before it."""
        return self._clock() - max(self._begun[0], self._ended) if self._begun else 0.0
