"""A limit on how many calls a second a caller may make."""

from collections import defaultdict, deque


class Limit:
    """At most `rate` calls in any second for each key; a rate of None never refuses. Refused calls do not count."""

    def __init__(self, rate: int | None) -> None:
        self.rate = rate
        self._recent: defaultdict[str, deque[float]] = defaultdict(deque)

    def allows(self, key: str, now: float) -> bool:
        if self.rate is None:
            return True
        recent = self._recent[key]
        while recent and recent[0] <= now - 1:
            recent.popleft()
        if len(recent) >= self.rate:
            return False
        recent.append(now)
        return True
