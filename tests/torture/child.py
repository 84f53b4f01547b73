"""`python -m tests.torture.child …`: the real program, with what a test needs done to it first.

What is done is in the environment, as `TORTURE_PARENT`, `TORTURE_BREAK`, `TORTURE_STEP`, `TORTURE_CLOCK`,
`TORTURE_LEASES`, `TORTURE_NAMES` and `TORTURE_APART`. Without any of them this is `postback`.
"""

import ctypes
import os
import signal
import sys

from postback.cli import main
from tests.torture import apart, breaks, clocks, names, steps

PR_SET_PDEATHSIG = 1


def die_with(parent: str) -> None:
    """Has the system kill this process as soon as its parent is gone, however that ended. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != int(parent):  # it was gone before it was asked for
            os.kill(os.getpid(), signal.SIGKILL)


WANTED = {
    "TORTURE_PARENT": die_with,
    "TORTURE_BREAK": breaks.apply,
    "TORTURE_STEP": steps.apply,
    "TORTURE_CLOCK": clocks.follow,
    "TORTURE_LEASES": clocks.shorten_leases,
    "TORTURE_NAMES": names.apply,
    "TORTURE_APART": apart.always,
}

if __name__ == "__main__":
    for variable, apply in WANTED.items():
        if value := os.environ.pop(variable, ""):
            apply(value)
    main()
