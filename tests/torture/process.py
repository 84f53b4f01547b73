"""A server that can be tortured: in a process group of its own, its log in a pipe that no full disk can stop."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from e2e.server import Server

ROOT = Path(__file__).parents[2]


class Process(Server):
    """`tests.torture.child`, with what `wants` says done to it: variables of that module without their prefix."""

    def __init__(
        self, home: Path, settings: Mapping[str, object], roles: Sequence[str] = (), port: int = 0, **wants: str
    ) -> None:
        super().__init__(home, settings, roles, port)
        self.wants = {f"TORTURE_{name.upper()}": value for name, value in wants.items()}
        self._said: list[bytes] = []
        self._readers: list[threading.Thread] = []

    @property
    def log(self) -> str:
        return b"".join(self._said).decode(errors="replace")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def stopped(self) -> bool:
        """Whether a signal has stopped it."""
        state = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state == "T"

    @property
    def others(self) -> list[int]:
        """The processes that it has started itself."""
        return [int(one) for one in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def begin(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.torture.child", *self._arguments],
            env=self.env | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "TORTURE_PARENT": str(os.getpid())} | self.wants,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            start_new_session=True,
        )
        reader = threading.Thread(target=self._listen, args=(self._process.stdout,), daemon=True)
        reader.start()
        self._readers.append(reader)

    def start(self) -> float:
        """Starts the process; returns after how many seconds it was ready."""
        began = time.monotonic()
        super().start()
        return time.monotonic() - began

    def kill(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)
            self._process = None
            for reader in self._readers:
                reader.join(5)
            self._readers.clear()

    def signal(self, number: signal.Signals) -> None:
        os.killpg(self.pid, number)

    def ended(self, within: float) -> int:
        """Waits until the process has ended by itself; its exit code."""
        assert self._process is not None
        return self._process.wait(within)

    def _listen(self, pipe: Any) -> None:
        with pipe:
            for line in pipe:
                self._said.append(line)


def end_stragglers(folder: Path) -> None:
    """Ends the children of this process that live in a folder. An interruption may have come while one was begun, and
    before anybody held it: it would go on writing there while the folder is removed."""
    for listed in Path("/proc/self/task").glob("*/children"):
        for pid in map(int, listed.read_text().split()):
            with contextlib.suppress(OSError):
                if str(folder).encode() in Path(f"/proc/{pid}/environ").read_bytes():
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
