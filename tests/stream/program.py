"""The real `postback listen`, as a process of its own."""

import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from e2e.eventually import eventually
from e2e.server import PROGRAM

PROXIED = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY"), "http://127.0.0.1:1")
"""A proxy of the environment that leads nowhere: no request may take it."""


class Listen:
    """One process, with what it has printed so far."""

    def __init__(self, folder: Path, env: Mapping[str, str], arguments: tuple[str, ...]) -> None:
        self._out, self._err = folder / "listen.out", folder / "listen.err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [PROGRAM, "listen", *arguments],
                env={**env, **PROXIED},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    @property
    def out(self) -> str:
        return self._out.read_text()

    @property
    def err(self) -> str:
        return self._err.read_text()

    @property
    def secret(self) -> str:
        """The signing secret that it names, once it is connected."""
        found = eventually(lambda: re.search(r"whsec_\S+", self.err), 30)
        assert found is not None
        return found[0]

    def said(self, text: str, times: int = 1) -> None:
        """Waits until it has told that so often, on stderr."""
        eventually(lambda: self.err.count(text) >= times, 30)

    def interrupt(self) -> int:
        """Presses Ctrl-C; the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(20)


@contextmanager
def listening(folder: Path, env: Mapping[str, str], *arguments: str) -> Iterator[Listen]:
    """Runs it until the end of the block."""
    listen = Listen(folder, env, arguments)
    try:
        yield listen
    finally:
        listen.process.kill()
        listen.process.wait(10)
