"""`scripts/bench NAME`: runs one of the measurements."""

import runpy
import sys

BENCHES = {
    "polling": "tests.dispatcher.crowd",
    "isolation": "tests.bench.isolation",
    "backlog": "tests.bench.backlog",
    "overload": "tests.bench.overload",
}

if len(sys.argv) < 2 or sys.argv[1] not in BENCHES:
    sys.exit(f"usage: scripts/bench {'|'.join(BENCHES)} [options]")
name = sys.argv.pop(1)
runpy.run_module(BENCHES[name], run_name="__main__", alter_sys=True)
