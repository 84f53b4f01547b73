"""When to ask again. Pure: counts and jitter in, milliseconds out."""

from collections.abc import Sequence

_SECONDS: Sequence[float] = (1, 1, 2, 2, 2, 4, 4, 4, 5, 5, 5, 5, 8, 8, 8, 10)
"""The pauses of DashScope's own SDK, which a provider expects; then longer, since the job turned out to be slow."""

_SLOWEST = 15.0
_JITTER = 0.1
RETRY_FIRST = 1.0
RETRY_MOST = 60.0


def next_poll(polls: int, jitter: float) -> int:
    """The pause after the `polls`-th question about a job, ±10 % (`jitter` in [0, 1))."""
    return _spread(_SECONDS[polls] if polls < len(_SECONDS) else _SLOWEST, jitter)


def next_try(failures: int, jitter: float, retry_after: float | None = None) -> int:
    """The pause after the `failures`-th failure in a row: doubling, at most a minute, never before `retry_after`."""
    pause = _spread(min(RETRY_MOST, RETRY_FIRST * 2.0 ** min(failures - 1, 10)), jitter)
    return max(pause, int((retry_after or 0) * 1_000))


def _spread(seconds: float, jitter: float) -> int:
    return int(seconds * 1_000 * (1 - _JITTER + 2 * _JITTER * jitter))
