"""`scripts/torture`: plays scenarios until the time is up, prints what held, and fails where something did not."""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack

from databases import postgres_server
from rich.console import Console
from rich.table import Table

from tests.torture.breaks import BREAKS
from tests.torture.judge import Row
from tests.torture.scenarios import CHEAPEST, SCENARIOS, Databases, play

SHORTEST = 6.0
"""Seconds of blows in one scenario, at least; starting, draining and judging come on top."""

OVERHEAD = 12.0
COLUMNS = ("scenario", "database", "blows", "acknowledged", "lost", "unexpected", "duplicated", "paid twice")
MORE = ("unconfirmed", "recovered", "seconds", "verdict")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line; returns its exit code: 0 if every rule held, 1 if not."""
    asked = _parser().parse_args(arguments)
    kinds = ("sqlite", "postgres") if asked.database == "both" else (asked.database,)
    with ExitStack() as stack:
        wants_server = asked.database != "sqlite"
        databases = Databases(stack.enter_context(postgres_server()) if wants_server else None)
        if asked.self_check:
            return _self_check(asked.seed, databases)
        names = [asked.scenario] if asked.scenario else _possible()
        parts = [(name, kind) for name in names for kind in kinds if kind in SCENARIOS[name].databases]
        if not parts:
            sys.exit(f"the scenario {asked.scenario} is not for {asked.database}")
        rows = _rounds(parts, asked.minutes * 60, asked.seed, databases, asked.sabotage)
    _show(rows)
    if asked.json:
        with open(asked.json, "w") as file:
            json.dump({"seed": asked.seed, "rows": [row.document() for row in rows]}, file, indent=2)
    return int(any(row.broken for row in rows))


def _rounds(
    parts: Sequence[tuple[str, str]], seconds: float, seed: int, databases: Databases, sabotage: str
) -> list[Row]:
    """Every part at least once, then again and again while there is time for one more."""
    ends = time.monotonic() + seconds
    weights = [SCENARIOS[name].weight for name, _ in parts]
    each = max(SHORTEST, (seconds - OVERHEAD * len(parts)) / sum(weights))
    rows: list[Row] = []
    number = 0
    while number < len(parts) or time.monotonic() + each * weights[number % len(parts)] + OVERHEAD < ends:
        name, kind = parts[number % len(parts)]
        long = each * weights[number % len(parts)]
        rows.append(play(name, kind, f"{seed}:{number // len(parts)}", long, databases, sabotage=sabotage))
        print(_line(rows[-1]), file=sys.stderr, flush=True)
        number += 1
    return rows


def _possible() -> list[str]:
    """The scenarios that this machine can play, without a word only where that is all of them."""
    if shutil.which("gcc"):
        return list(SCENARIOS)
    print("There is no gcc here, so the power does not fail: the scenario power-cut is left out.", file=sys.stderr)
    return [name for name in SCENARIOS if name != "power-cut"]


def _self_check(seed: int, databases: Databases) -> int:
    """Breaks each promise where that shows soonest; fails where nothing is noticed."""
    unnoticed = []
    for sabotage, (name, kind) in CHEAPEST.items():
        row = play(name, kind, str(seed), SHORTEST, databases, sabotage=sabotage)
        print(f"{sabotage}: {'noticed: ' + row.broken[0] if row.broken else 'NOT NOTICED'}", flush=True)
        unnoticed += [] if row.broken else [sabotage]
    return int(bool(unnoticed))


def _show(rows: Sequence[Row]) -> None:
    table = Table(*COLUMNS, *MORE)
    for row in rows:
        cells = (row.scenario, row.database, row.blows, row.acknowledged, row.lost, row.unexpected, row.duplicated)
        rest = (row.paid_twice, row.unconfirmed, row.recovered, row.seconds, "held" if not row.broken else "BROKEN")
        table.add_row(*map(str, (*cells, *rest)))
    Console(width=140).print(table)
    for row in rows:
        for rule in row.broken:
            print(f"{row.scenario} on {row.database}: {rule}")


def _line(row: Row) -> str:
    said = "held" if not row.broken else f"BROKEN: {row.broken[0]}"
    return f"{row.scenario} on {row.database}: {row.blows} blows, {row.acknowledged} acknowledged, {said}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/torture", description=__doc__)
    parser.add_argument(
        "--minutes", type=float, default=5, help="for how long, about; each scenario runs at least once"
    )
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same faults")
    parser.add_argument("--database", choices=("sqlite", "postgres", "both"), default="both")
    parser.add_argument("--scenario", choices=tuple(SCENARIOS), help="only this one")
    parser.add_argument("--json", metavar="FILE", help="writes the table there, too")
    parser.add_argument(
        "--break", dest="sabotage", choices=tuple(BREAKS), default="", help="breaks a promise, which should be noticed"
    )
    parser.add_argument("--self-check", action="store_true", help="breaks every promise, one after the other")
    return parser


if __name__ == "__main__":
    sys.exit(main())
