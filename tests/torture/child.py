"""`python -m tests.torture.child …`: the real program, with what a test needs done to it first.

What is done is in the environment, as `TORTURE_BREAK`, `TORTURE_STEP`, `TORTURE_CLOCK`, `TORTURE_LEASES` and
`TORTURE_NAMES`. Without any of them this is `postback`.
"""

import os

from postback.cli import main
from tests.torture import breaks, clocks, names, steps

WANTED = {
    "TORTURE_BREAK": breaks.apply,
    "TORTURE_STEP": steps.apply,
    "TORTURE_CLOCK": clocks.follow,
    "TORTURE_LEASES": clocks.shorten_leases,
    "TORTURE_NAMES": names.apply,
}

if __name__ == "__main__":
    for variable, apply in WANTED.items():
        if value := os.environ.pop(variable, ""):
            apply(value)
    main()
