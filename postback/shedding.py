"""Overload: what would wait for too long is refused at once, before anything is done for it.

A refusal must cost far less than what it refuses. This one is decided when the headers are there, and is an answer
that was made beforehand: no body is kept, no token is read, no application runs. And where many are refused, they are
answered one after the other: whoever is refused at once comes again at once, and it would be all that is done.
"""

import asyncio
import itertools
import time
from collections.abc import Callable, Mapping

import structlog

from receiver.direct import Answer, Direct, Headers, prepared
from receiver.problems import Problem

log = structlog.get_logger()

BURST = 2.0
"""Seconds that a write may have to wait while many came at once."""

STANDING = 1.0
"""Seconds that it may have to wait when more have been coming than can be written, for longer than `PATIENCE`."""

PATIENCE = 1.0
"""Seconds within which a burst must have been worked off."""

RETRY_SECONDS = (1, 2, 3, 4, 5)
"""What `Retry-After` says, in turn: not all are to come back at once."""

RATE = 2_000
"""How many refusals a second are answered at once."""

LONGEST = 1.0
"""Seconds that a refusal waits for its answer at most."""

LOG_SECONDS = 1.0
"""Between two lines of the log about it."""

Wait = Callable[[], float]


class Limit:
    """Decides by how long one more would have to wait: a burst may, but no queue may stand."""

    def __init__(self) -> None:
        self._since: float | None = None

    def refuses(self, wait: float, now: float) -> bool:
        """Whether a wait of so many seconds is too long at `now`, in seconds of any clock that only goes on."""
        if not wait:
            self._since = None
            return False
        if self._since is None:
            self._since = now
        return wait > (BURST if now - self._since < PATIENCE else STANDING)


class Shedding:
    """The limits of one process. `waits` tells, for the beginning of a path, how long a POST there would wait;
    `on_refused` is called for each that is refused."""

    def __init__(
        self,
        waits: Mapping[bytes, Wait],
        clock: Callable[[], float] = time.monotonic,
        on_refused: Callable[[], None] = lambda: None,
    ) -> None:
        self._on_refused = on_refused
        self._limits = {path: (wait, Limit()) for path, wait in waits.items()}
        self._clock = clock
        self._refusals = itertools.cycle([_Refusal(seconds) for seconds in RETRY_SECONDS])
        self._refused = 0
        self._told_at = self._free_at = float("-inf")

    def take(self, method: bytes, target: bytes, headers: Headers) -> Direct | None:
        """A request that is refused; None for one that may go on."""
        if method != b"POST":
            return None
        for path, (wait, limit) in self._limits.items():
            if target.startswith(path):
                now = self._clock()
                return self._refuse(now) if limit.refuses(wait(), now) else None
        return None

    def _refuse(self, now: float) -> Direct:
        self._refused += 1
        self._on_refused()
        if now - self._told_at >= LOG_SECONDS:
            log.warning("overloaded", refused=self._refused)
            self._told_at, self._refused = now, 0
        refusal = next(self._refusals)
        wait = min(max(0.0, self._free_at - now), LONGEST)
        self._free_at = now + wait + 1 / RATE
        return _Later(refusal, wait) if wait else refusal


class _Refusal:
    """Nothing of the body is kept, so that one serves any number of requests."""

    def __init__(self, seconds: int) -> None:
        problem = Problem(
            "unavailable", "Too much is waiting to be stored; send it again.", headers={"Retry-After": str(seconds)}
        )
        self._answer = prepared(problem.response())

    def receive(self, part: bytes) -> None: ...

    def end(self, answer: Answer) -> None:
        answer(self._answer)


class _Later:
    """A refusal whose turn comes in so many seconds."""

    def __init__(self, refusal: _Refusal, seconds: float) -> None:
        self._refusal = refusal
        self._seconds = seconds

    def receive(self, part: bytes) -> None: ...

    def end(self, answer: Answer) -> None:
        asyncio.get_running_loop().call_later(self._seconds, self._refusal.end, answer)
