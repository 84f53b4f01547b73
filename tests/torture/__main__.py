"""`scripts/torture`: plays scenarios until the time is up, prints what held, and fails where something did not."""

import argparse
import json
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from databases import postgres_server
from rich.console import Console
from rich.table import Table

from tests.torture.breaks import BREAKS
from tests.torture.judge import JUDGED, Row
from tests.torture.scenarios import CHEAPEST, SCENARIOS, Databases, play
from tests.torture.verdict import CODES, Verdict, reason, verdict

SHORTEST = 6.0
"""Seconds of blows in one scenario, at least; starting, draining and judging come on top."""

OVERHEAD = 12.0
COLUMNS = ("scenario", "database", "blows", "acknowledged", "lost", "unexpected", "duplicated", "paid twice")
MORE = ("unconfirmed", "recovered", "seconds", "verdict")
ENDING = """\
Every scenario is played at least once on each of its databases, however few minutes are given: that takes four to
eight minutes for all of them, and less than half a minute for most. How long it takes at least is said at the start.
Ctrl-C and SIGTERM end it in order: no process and no folder is left, and what was done so far is printed and written.

Exit codes: 0, every rule held; 1, one did not; 2, a scenario could not be played to its end, or what broke with --break
is not what was broken; 130 and 143, interrupted by Ctrl-C and by SIGTERM. --self-check: 0, every break was noticed by
the rule that is meant to; 1 otherwise.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line; returns its exit code, which `ENDING` explains."""
    asked = _parser().parse_args(arguments)
    interruption = _Interruption()
    rows: list[Row] = []
    code = 0
    try:
        code = _played(asked, rows)
    except KeyboardInterrupt:
        # If it came while Python ran a text, as the making of a dataclass does, `python -m` would take it for unhandled
        # and end by SIGINT, until another text has run.
        exec("")
        print("Interrupted: this is what was done until then.", file=sys.stderr)
    if rows:
        _show(rows, asked.sabotage)
        code = max(CODES[verdict(row, asked.sabotage)] for row in rows)
    if asked.json:
        document = {"seed": asked.seed, "interrupted": bool(interruption.number)}
        with open(asked.json, "w") as file:
            json.dump(document | {"rows": [row.document() for row in rows]}, file, indent=2)
    return 128 + interruption.number if interruption.number else code


class _Interruption:
    """SIGTERM ends the program as Ctrl-C does, by `KeyboardInterrupt`. Further ones change nothing: it is ending."""

    def __init__(self) -> None:
        self.number = 0
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._heard)

    def _heard(self, number: int, frame: Any) -> None:
        if not self.number:
            self.number = number
            raise KeyboardInterrupt


def _played(asked: argparse.Namespace, rows: list[Row]) -> int:
    """Plays what is asked for. The rows are added as they are begun; the exit code is the self-check's."""
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
        _rounds(rows, parts, asked.minutes * 60, asked.seed, databases, asked.sabotage)
    return 0


def _rounds(
    rows: list[Row],
    parts: Sequence[tuple[str, str]],
    seconds: float,
    seed: int,
    databases: Databases,
    sabotage: str,
) -> None:
    """Every part at least once, then again and again while there is time for one more."""
    ends = time.monotonic() + seconds
    weights = [SCENARIOS[name].weight for name, _ in parts]
    each = max(SHORTEST, (seconds - OVERHEAD * len(parts)) / sum(weights))
    least, most = each * sum(weights), max(seconds, each * sum(weights) + OVERHEAD * len(parts))
    expected = f"at least {least / 60:.1f} minutes, and about {most / 60:.1f} at most"
    print(f"{len(parts)} to play, each at least once: {expected}.", file=sys.stderr, flush=True)
    number = 0
    while number < len(parts) or time.monotonic() + each * weights[number % len(parts)] + OVERHEAD < ends:
        name, kind = parts[number % len(parts)]
        long = each * weights[number % len(parts)]
        rows.append(Row(name, kind))
        play(rows[-1], f"{seed}:{number // len(parts)}", long, databases, sabotage=sabotage)
        print(_line(rows[-1], sabotage), file=sys.stderr, flush=True)
        number += 1


def _possible() -> list[str]:
    """The scenarios that this machine can play, without a word only where that is all of them."""
    lacking = {name: lack for name, scenario in SCENARIOS.items() if (lack := scenario.lacks())}
    for name, lack in lacking.items():
        print(f"The scenario {name} is left out: it needs {lack}.", file=sys.stderr)
    return [name for name in SCENARIOS if name not in lacking]


def _self_check(seed: int, databases: Databases) -> int:
    """Breaks each promise where that shows soonest; fails where what is meant to notice does not."""
    found = []
    for sabotage, (name, kind) in CHEAPEST.items():
        row = play(Row(name, kind), str(seed), SHORTEST, databases, sabotage=sabotage)
        found.append(verdict(row, sabotage))
        said = "NOT NOTICED" if found[-1] is Verdict.HELD else found[-1]
        print(f"{sabotage}: {': '.join(filter(None, (said, reason(row, sabotage))))}", flush=True)
    return int(any(one is not Verdict.NOTICED for one in found))


def _show(rows: Sequence[Row], sabotage: str) -> None:
    table = Table(*COLUMNS, *MORE)
    for row in rows:
        known = (row.scenario, row.database, row.blows, row.acknowledged)
        found = (getattr(row, name) if row.judged else "–" for name in JUDGED)
        table.add_row(*map(str, (*known, *found)), verdict(row, sabotage))
    Console(width=150).print(table)
    for row in rows:
        for rule in [*row.broken, *([f"the harness: {row.crash}"] if row.crash else [])]:
            print(f"{row.scenario} on {row.database}: {rule}")


def _line(row: Row, sabotage: str) -> str:
    said = ": ".join(filter(None, (verdict(row, sabotage), reason(row, sabotage))))
    return f"{row.scenario} on {row.database}: {row.blows} blows, {row.acknowledged} acknowledged, {said}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/torture",
        description=__doc__,
        epilog=ENDING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--minutes", type=float, default=5, help="for how long, about; never less than each scenario once (see below)"
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
