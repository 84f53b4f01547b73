"""The real program, `postback serve`, as a process of its own that can be killed."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx2 as httpx
from e2e.eventually import eventually
from e2e.forked import Forked, starts_alike

PROGRAM = str(Path(sys.executable).with_name("postback"))
START_SECONDS = 60


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


def environment(home: Path, **settings: object) -> dict[str, str]:
    """Nothing of the tester's own environment but where programs are."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home.parent),
        "POSTBACK_HOME": str(home),
        **{name: str(value) for name, value in settings.items()},
    }


def run(*arguments: str, env: Mapping[str, str], within: float = START_SECONDS) -> "subprocess.CompletedProcess[str]":
    """Runs the program to its end."""
    return subprocess.run([PROGRAM, *arguments], env=env, capture_output=True, text=True, timeout=within)


class Server:
    """One process. It keeps its port and its log when it is started again."""

    def __init__(self, home: Path, settings: Mapping[str, object], roles: Sequence[str] = (), port: int = 0) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.env = environment(home, **{"POSTBACK_PORT": self.port, **settings})
        self._arguments = ["serve", *(f"--role={role}" for role in roles)]
        self._log = home.with_name(f"{home.name}-{self.port}.log")
        self._home = home
        self._process: Forked | subprocess.Popen[bytes] | None = None

    @property
    def key(self) -> str:
        return self.env.get("POSTBACK_API_KEY") or (self._home / "api.key").read_text().strip()

    @property
    def log(self) -> str:
        """All that was printed so far."""
        return self._log.read_text()

    def begin(self) -> None:
        """Starts the process without waiting for it."""
        command = [PROGRAM, *self._arguments]
        if starts_alike(self.env):
            self._process = Forked(command, self.env, self._log)
            return
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def start(self) -> None:
        """Starts the process and waits until it is ready."""
        self.begin()
        self.ready()

    def ready(self) -> None:
        """Waits until the process answers that it is ready."""
        eventually(self._ready, START_SECONDS)

    def kill(self) -> None:
        """Ends the process without a word of warning."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def stop(self) -> tuple[int, float]:
        """Asks the process to end; its exit code, and how many seconds it took."""
        assert self._process is not None
        began = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(30)
        self._process = None
        return code, time.monotonic() - began

    def _ready(self) -> bool:
        assert self._process is not None
        if (code := self._process.poll()) is not None:
            raise RuntimeError(f"the server ended with {code}:\n{self.log}")
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False


def unexpected(log: str) -> list[str]:
    """Lines of a log that no run should have."""
    return [line for line in log.splitlines() if re.search(r"Traceback|\"level\": ?\"(error|critical)\"", line)]
