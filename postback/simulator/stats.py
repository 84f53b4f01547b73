"""What the simulator was asked and what it sent, for tests and for curious people."""

from collections import Counter, defaultdict
from collections.abc import Hashable
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_SECONDS_KEPT = 3600
_PROMPTS_KEPT = 100_000


class Stats:
    """Counters, bounded: the last hour of seconds and the latest hundred thousand prompts."""

    def __init__(self) -> None:
        self.submissions: dict[str, Counter[str]] = defaultdict(Counter)
        """By provider: how often each prompt was submitted, refused submissions included."""
        self.per_second: dict[str, Counter[int]] = defaultdict(Counter)
        """By `provider.submit` and `provider.query`: calls in each second of the epoch, refused ones included."""
        self.fetches: Counter[str] = Counter()
        """By task id."""
        self.callbacks: dict[str, list[int | str]] = defaultdict(list)
        """By task id: the status code of each callback's answer, or the name of the error that came instead."""
        self.throttled = 0
        """Calls refused because of an enforced rate limit."""

    def submitted(self, provider: str, prompt: str, now: float) -> int:
        """Counts a submission and says how many of this prompt there have been."""
        self._tick(f"{provider}.submit", now)
        prompts = self.submissions[provider]
        prompts[prompt] += 1
        _shorten(prompts, _PROMPTS_KEPT)
        return prompts[prompt]

    def queried(self, provider: str, now: float) -> None:
        self._tick(f"{provider}.query", now)

    def forget(self, task_id: str) -> None:
        self.fetches.pop(task_id, None)
        self.callbacks.pop(task_id, None)

    def _tick(self, kind: str, now: float) -> None:
        seconds = self.per_second[kind]
        seconds[int(now)] += 1
        _shorten(seconds, _SECONDS_KEPT)


def _shorten(mapping: dict[K, V], length: int) -> None:
    while len(mapping) > length:
        del mapping[next(iter(mapping))]
