"""`scripts/bench`: measures every line, prints the table and writes it as JSON.

Each line sets what was measured beside what it is measured against, in the same run: a `baseline`, what one would write
in an afternoon, or a `limit`, the same server or client doing nothing but the network. Absolute times differ between
machines, ratios hardly. Rounds are interleaved, and the median of their ratios counts; `each` is the least and the most
of them, and `against itself` the same of one thing measured twice: what differs by less than that is noise.
"""

import argparse
import json
import os
import platform
import sqlite3
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import accept, deliver, growth, latency, polling, postgres, starting, statements
from .line import Line, table
from .size import FULL, QUICK, Size

Measure = Callable[[Size], list[Line]]
MEASUREMENTS: Mapping[str, Measure] = {
    "accept": accept.lines,
    "deliver": deliver.lines,
    "latency": latency.lines,
    "statements": statements.lines,
    "polling": polling.lines,
    "starting": starting.lines,
}
GROWTH: Mapping[str, Measure] = {"growth": growth.lines}
SEVERAL: Mapping[str, Measure] = {"postgres": postgres.lines}
EVERY: Mapping[str, Measure] = {**MEASUREMENTS, **GROWTH, **SEVERAL}


def measure(measurements: Mapping[str, Measure], size: Size) -> tuple[list[Line], dict[str, str]]:
    """The lines, and by name why a measurement came to nothing: the others are taken all the same."""
    lines: list[Line] = []
    failed: dict[str, str] = {}
    for name, take in measurements.items():
        began = time.monotonic()
        try:
            lines += take(size)
        except (SystemExit, AssertionError, OSError) as error:
            failed[name] = str(error)
        said = "failed: " + failed[name] if name in failed else "measured"
        print(f"{name}: {said}, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return lines, failed


def document(lines: Sequence[Line], failed: Mapping[str, str], quick: bool) -> dict[str, Any]:
    """What is written as JSON."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": quick,
        "machine": {
            "processors": os.cpu_count(),
            "platform": platform.platform(),
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
        },
        "lines": [line.document() for line in lines],
        "failed": dict(failed),
    }


def main() -> int:
    """Exits with 1 where something could not be measured; a goal that is missed is a result."""
    options = argparse.ArgumentParser(
        prog="scripts/bench",
        description=__doc__,
        epilog="Other measurements, each with options of its own: scripts/bench polling|isolation|backlog|overload.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("--json", type=Path, metavar="FILE", help="write the lines, with all figures, to this file")
    options.add_argument("--quick", action="store_true", help="a look at each line, in under a minute; else under ten")
    options.add_argument(
        "--growth", action="store_true", help="also the lines with a million rows: minutes more, and 5 GB of disk"
    )
    options.add_argument("--postgres", action="store_true", help="also on PostgreSQL, with several forwarders")
    options.add_argument("--only", action="append", choices=[*EVERY], help="only this one, or these when repeated")
    asked = options.parse_args()
    more = {**(GROWTH if asked.growth else {}), **(SEVERAL if asked.postgres else {})}
    chosen = {name: EVERY[name] for name in asked.only} if asked.only else {**MEASUREMENTS, **more}
    lines, failed = measure(chosen, QUICK if asked.quick else FULL)
    if asked.json:
        asked.json.write_text(json.dumps(document(lines, failed, asked.quick), indent=2) + "\n")
    if lines:
        print(table(lines))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
