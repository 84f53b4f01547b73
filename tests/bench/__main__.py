"""`scripts/bench`: measures every line of the table; with a name, only that measurement, with options of its own."""

import runpy
import sys

BENCHES = {
    "polling": "tests.dispatcher.crowd",
    "isolation": "tests.bench.isolation",
    "backlog": "tests.bench.backlog",
    "overload": "tests.bench.overload",
}

if __name__ == "__main__":
    named = len(sys.argv) > 1 and sys.argv[1] in BENCHES
    runpy.run_module(BENCHES[sys.argv.pop(1)] if named else "tests.bench.report", run_name="__main__", alter_sys=True)
