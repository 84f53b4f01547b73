"""The real program in a real terminal (a pty) of a given size, with what it has written so far."""

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

PROGRAM = str(Path(sys.executable).with_name("postback"))
BOUND = 30
"""Seconds after which a test gives up waiting."""

_STEERING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """One program under way. What it writes is text in `raw`; `text` is without what steers the terminal."""

    def __init__(self, pid: int, screen: int) -> None:
        self.raw = ""
        self._pid, self._screen = pid, screen
        self._code: int | None = None

    @property
    def text(self) -> str:
        return _STEERING.sub("", self.raw).replace("\r\n", "\n")

    @property
    def colours(self) -> set[str]:
        """The colours that were used, by their number in SGR."""
        codes = {code for one in re.findall(r"\x1b\[([0-9;]*)m", self.raw) for code in one.split(";")}
        return {code for code in codes if re.fullmatch("3[0-7]|9[0-7]|38|48", code)}

    def until(self, seen: str | Callable[["Terminal"], bool]) -> None:
        """Reads on until that text, or what is asked for, is there."""
        deadline = time.monotonic() + BOUND
        while not (seen in self.text if isinstance(seen, str) else seen(self)):
            assert time.monotonic() < deadline, f"{seen!r} is not in {self.text!r}"
            assert self._read(), f"it ended without {seen!r}: {self.text!r}"

    def press_ctrl_c(self) -> None:
        os.write(self._screen, b"\x03")

    def ended(self) -> int:
        """Reads all there is until it ends; the exit code."""
        deadline = time.monotonic() + BOUND
        while self._read():
            assert time.monotonic() < deadline, self.text
        self._code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        return self._code

    def close(self) -> None:
        if self._code is None:
            os.kill(self._pid, 9)
            os.waitpid(self._pid, 0)
        os.close(self._screen)

    def _read(self) -> bool:
        """Whether it may still write."""
        if not select.select([self._screen], [], [], 0.5)[0]:
            return True
        try:
            chunk = os.read(self._screen, 65536)
        except OSError:  # Linux says so at the end
            return False
        self.raw += chunk.decode("utf-8", "replace")
        return bool(chunk)


@contextmanager
def terminal(
    *arguments: str, env: Mapping[str, str], columns: int = 80, rows: int = 30, **more: str
) -> Iterator[Terminal]:
    """Runs `postback` with those arguments until the end of the block; `more` is added to the environment."""
    whole = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", "LANG": "C.UTF-8", **env, **more}
    pid, screen = pty.fork()
    if pid == 0:
        # The size is there before the program is.
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.execve(PROGRAM, [PROGRAM, *arguments], whole)
    running = Terminal(pid, screen)
    try:
        yield running
    finally:
        running.close()
