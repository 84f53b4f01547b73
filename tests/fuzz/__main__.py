"""`scripts/fuzz`: inputs that lead to new branches of the code lead on, until one of them breaks a rule."""

import argparse
import importlib.util
import shutil
import sys
import tempfile
from pathlib import Path

from .run import MISSING, Outcome, fuzz, replay
from .targets import TARGETS

ROW = "{:<9} {:>11} {:>14} {:>12}  {}"


def main() -> int:
    """Exits with 1 where a rule was broken."""
    listed = "\n".join(f"  {name:<8} {says}" for name, says in TARGETS.items())
    parser = argparse.ArgumentParser(
        prog="scripts/fuzz",
        description=__doc__,
        epilog=f"targets:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="which (default all)")
    parser.add_argument("--seconds", type=int, default=60, help="how long each is fuzzed (default 60)")
    parser.add_argument("--seed", type=int, default=1, help="of the mutations (default 1)")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="give the one target named this input only")
    given = parser.parse_args()
    targets = given.targets or list(TARGETS)
    if unknown := set(targets) - TARGETS.keys():
        parser.error(f"{', '.join(sorted(unknown))} is none of {', '.join(TARGETS)}")
    if importlib.util.find_spec("atheris") is None:
        parser.error(MISSING)
    if given.replay is not None:
        if len(targets) != 1:
            parser.error("name the one target that the input is for")
        return _replayed(targets[0], given.replay)
    return _all(targets, given.seconds, given.seed)


def _replayed(target: str, file: Path) -> int:
    outcome = replay(target, file)
    print(outcome.report or f"{file} breaks nothing")
    return 1 if outcome.report else 0


def _all(targets: list[str], seconds: int, seed: int) -> int:
    folder = Path(tempfile.mkdtemp(prefix="postback-fuzz-"))
    print(ROW.format("target", "executions", "branches", "inputs", ""), flush=True)
    outcomes = []
    try:
        for target in targets:
            outcomes.append(fuzz(target, folder, seed=seed, seconds=seconds))
            print(_row(outcomes[-1]), flush=True)
    finally:
        found = [outcome for outcome in outcomes if outcome.report]
        if not found:
            shutil.rmtree(folder)
    for outcome in found:
        print(f"\n{outcome.report}\n\nscripts/fuzz --replay {outcome.finding} {outcome.target}")
    return 1 if found else 0


def _row(outcome: Outcome) -> str:
    branches, inputs = (f"{first} → {last}" for first, last in (outcome.covered, outcome.kept))
    return ROW.format(outcome.target, outcome.executions, branches, inputs, "BROKEN" if outcome.report else "holds")


if __name__ == "__main__":
    sys.exit(main())
