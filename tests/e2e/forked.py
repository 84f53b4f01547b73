"""Processes of the program, forked from one that has imported it: each import takes a second of processor time.

Each does what the script `postback` does, with arguments, an environment and a log of its own. To the system, and to
whoever kills it, it is a process like any other.
"""

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from signal import SIGKILL

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["postback.cli", "postback.serve", "alembic.command"])
_turn = threading.Lock()  # to start one looks after all of them, and who looks first takes the exit code


def starts_alike(environment: Mapping[str, str]) -> bool:
    """Whether a fork behaves as a new process does: it came too late for what Python itself reads."""
    return not any(name.startswith(("PYTHON", "LD_")) for name in environment)


class Forked:
    """A running process, with what is used of `subprocess.Popen`."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self._process = _context.Process(target=_main, args=(command, dict(environment), log), daemon=True)
        with _turn:
            self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """The exit code, once it has ended: negative for the signal that ended it."""
        with _turn:
            return self._process.exitcode

    def wait(self, timeout: float) -> int:
        deadline = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("postback", timeout)
            time.sleep(0.01)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(SIGKILL)


def _main(command: Sequence[str], environment: dict[str, str], log: Path) -> None:
    sys.argv = list(command)
    os.environ.clear()
    os.environ.update(environment)
    with log.open("ab") as file, open(os.devnull, "rb") as nothing:
        for number, source in enumerate((nothing, file, file)):
            os.dup2(source.fileno(), number)

    from postback.cli import main

    main()
