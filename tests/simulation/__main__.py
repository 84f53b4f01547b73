"""`scripts/simulate`: plays seeds until a rule is broken, and says what was played."""

import argparse
import itertools
import sys
import time
from collections import Counter

from .breaking import BREAKS
from .run import play_all, told

SHOWN_EVERY = 500


def main() -> int:
    """Exits with 1 where a rule was broken."""
    parser = argparse.ArgumentParser(prog="scripts/simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1_000, help="how many to play, from 0 on (default 1000)")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="play this one only, and show its trace")
    parser.add_argument("--minutes", type=float, help="play as many as there is time for")
    parser.add_argument("--break", dest="breaking", choices=sorted(BREAKS), help="break Postback in this way")
    given = parser.parse_args()
    if given.seed is not None:
        return _one(given.seed, given.breaking)
    seeds = itertools.count(given.first) if given.minutes else range(given.first, given.first + given.seeds)
    return _many(seeds, given.minutes, given.breaking)


def _one(seed: int, breaking: str | None) -> int:
    outcome = next(play_all([seed], breaking))
    if outcome.violation is not None:
        print(told(outcome, breaking, lines=10_000))
        return 1
    print(outcome.plan, *outcome.trace, f"seed {seed} breaks nothing", sep="\n")
    return 0


def _many(seeds: "itertools.count[int] | range", minutes: float | None, breaking: str | None) -> int:
    began, worked = time.monotonic(), time.process_time()
    played, lasted = 0, 0
    counts: Counter[str] = Counter()
    for outcome in play_all(seeds, breaking):
        played += 1
        lasted += outcome.lasted
        counts += outcome.counts
        if outcome.violation is not None:
            print(told(outcome, breaking))
            return 1
        if minutes and time.monotonic() - began > minutes * 60:
            break
        if played % SHOWN_EVERY == 0:
            print(f"{played} seeds, none breaks a rule", file=sys.stderr)
    spent, worked = time.monotonic() - began, time.process_time() - worked
    width = max(map(len, counts))
    print(*(f"{what:<{width}}  {count:>9}" for what, count in sorted(counts.items())), sep="\n")
    print(
        f"\n{played} seeds, {lasted / 3_600_000:.1f} virtual hours in {spent:.0f} s ({worked:.0f} s of a core: "
        f"{played / worked * 60:.0f} seeds a minute). No rule is broken."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
