"""When to ask again. Pure: counts and jitter in, milliseconds out."""

from collections.abc import Sequence

_SECONDS: Sequence[float] = (1, 1, 2, 2, 2, 4, 4, 4, 5, 5, 5, 5, 8, 8, 8, 10)
"""The pauses of DashScope's own SDK, which a provider expects; then longer, since the job turned out to be slow."""

_SLOWEST = 15.0
_PATIENCE = 0.1
"""The part of its age that a job may wait for the next question."""
_JITTER = 0.1
RETRY_FIRST = 1.0
RETRY_MOST = 60.0
LONGEST_WAIT = 3_600.0
"""The longest that a provider's Retry-After is believed, in seconds."""


def next_poll(polls: int, jitter: float, age: int = 0) -> int:
    """The pause after the `polls`-th question about a job, ±10 % (`jitter` in [0, 1)).

    A job that is already old when it is first asked about, `age` milliseconds, is asked as seldom as it deserves.
    """
    pause = _SECONDS[polls] if polls < len(_SECONDS) else _SLOWEST
    return _spread(max(pause, min(age / 1_000 * _PATIENCE, _SLOWEST)), jitter)


def next_try(failures: int, jitter: float, retry_after: float | None = None) -> int:
    """The pause after the `failures`-th failure in a row: doubling, at most a minute, never before `retry_after`."""
    pause = _spread(min(RETRY_MOST, RETRY_FIRST * 2.0 ** min(failures - 1, 10)), jitter)
    return max(pause, int(min(retry_after or 0.0, LONGEST_WAIT) * 1_000))


def _spread(seconds: float, jitter: float) -> int:
    return int(seconds * 1_000 * (1 - _JITTER + 2 * _JITTER * jitter))
