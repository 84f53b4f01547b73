"""Seeds in several processes at once, part by part. What comes of a seed does not depend on who plays it."""

import itertools
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

from .run import play_all, told

SIZE = 25
"""How many seeds are a part."""

AHEAD = 2
"""How many parts of each process are under way or waiting for it."""


@dataclass
class Tally:
    """What came of some seeds: `lasted` is in virtual milliseconds, `worked` in seconds of a core, `report` tells of
    the first seed that broke a rule."""

    played: int = 0
    lasted: int = 0
    worked: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    report: str | None = None

    def add(self, part: "Tally") -> None:
        """Counts a part in."""
        self.played += part.played
        self.lasted += part.lasted
        self.worked += part.worked
        self.counts += part.counts


def played(seeds: Iterable[int], breaking: str | None) -> Tally:
    """Plays seeds one after the other, up to the first that breaks a rule."""
    began, tally = time.process_time(), Tally()
    for outcome in play_all(seeds, breaking):
        tally.played += 1
        tally.lasted += outcome.lasted
        tally.counts += outcome.counts
        if outcome.violation is not None:
            tally.report = told(outcome, breaking)
            break
    tally.worked = time.process_time() - began
    return tally


def in_parts(seeds: Iterable[int], breaking: str | None, workers: int) -> Iterator[Tally]:
    """Plays seeds in so many processes; what came of each part, in the order of their seeds."""
    coming = iter(seeds)
    parts = iter(lambda: list(itertools.islice(coming, SIZE)), [])
    under_way: deque[Future[Tally]] = deque()
    # Not forked: what this process has open stays its own.
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        try:
            for part in parts:
                under_way.append(pool.submit(played, part, breaking))
                if len(under_way) == workers * AHEAD:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
