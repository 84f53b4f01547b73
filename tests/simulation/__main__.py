"""`scripts/simulate`: plays seeds until a rule is broken, and says what was played."""

import argparse
import itertools
import os
import sys
import time

from .breaking import BREAKS
from .parts import Tally, in_parts
from .run import play_all, told


def main() -> int:
    """Exits with 1 where a rule was broken."""
    parser = argparse.ArgumentParser(prog="scripts/simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1_000, help="how many to play, from 0 on (default 1000)")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="play this one only, and show its trace")
    parser.add_argument("--minutes", type=float, help="play as many as there is time for")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count(), help="in how many processes (default: one a core)"
    )
    parser.add_argument("--break", dest="breaking", choices=sorted(BREAKS), help="break Postback in this way")
    given = parser.parse_args()
    if given.seed is not None:
        return _one(given.seed, given.breaking)
    seeds = itertools.count(given.first) if given.minutes else range(given.first, given.first + given.seeds)
    return _many(seeds, given.minutes, given.breaking, given.workers)


def _one(seed: int, breaking: str | None) -> int:
    outcome = next(play_all([seed], breaking))
    if outcome.violation is not None:
        print(told(outcome, breaking, lines=10_000))
        return 1
    print(outcome.plan, *outcome.trace, f"seed {seed} breaks nothing", sep="\n")
    return 0


def _many(seeds: "itertools.count[int] | range", minutes: float | None, breaking: str | None, workers: int) -> int:
    began, whole = time.monotonic(), Tally()
    for part in in_parts(seeds, breaking, workers):
        whole.add(part)
        if part.report is not None:
            print(part.report)
            return 1
        if minutes and time.monotonic() - began > minutes * 60:
            break
        print(f"{whole.played} seeds, none breaks a rule", file=sys.stderr)
    spent = time.monotonic() - began
    width = max(map(len, whole.counts))
    print(*(f"{what:<{width}}  {count:>9}" for what, count in sorted(whole.counts.items())), sep="\n")
    print(
        f"\n{whole.played} seeds, {whole.lasted / 3_600_000:.1f} virtual hours in {spent:.0f} s: "
        f"{whole.played / spent * 60:.0f} seeds a minute ({whole.played / whole.worked * 60:.0f} for each core that "
        f"was free). No rule is broken."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
