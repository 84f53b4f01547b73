"""When to look again at what is shown live."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

PERIOD = 2.0
"""Seconds until the next look when nothing is heard: not every step of a job is told on the stream."""

QUIET = 0.25
"""Seconds between two looks at least, however much happens."""


class Source(Protocol):
    """The part of the feed that is listened to."""

    def notifications(self) -> Iterator[dict[str, Any]]: ...


class Pulse:
    """Beats when the stream tells something, and otherwise every `PERIOD`. What the stream reports is kept to be shown.

    The stream is read in a thread of its own, which ends with the process.
    """

    def __init__(self, *, sleep: Callable[[float], None] = time.sleep, period: float = PERIOD) -> None:
        self._heard: queue.SimpleQueue[str | Exception | None] = queue.SimpleQueue()
        self._sleep = sleep
        self._period = period

    def report(self, sentence: str) -> None:
        """Something about the connection that a person should know."""
        self._heard.put(sentence)

    def listen(self, source: Source) -> None:
        """Begins to read the stream."""
        threading.Thread(target=self._read, args=(source,), daemon=True).start()

    def beats(self) -> Iterator[list[str]]:
        """Without end: what was reported since the last beat, mostly nothing. Raises what ended the stream."""
        while True:
            yield self._wait()
            self._sleep(QUIET)

    def _wait(self) -> list[str]:
        said: list[str] = []
        timeout = self._period
        while True:
            try:
                heard = self._heard.get(timeout=timeout)
            except queue.Empty:
                return said
            if isinstance(heard, Exception):
                raise heard
            if heard is not None:
                said.append(heard)
            timeout = 0.001  # whatever else has come already is part of the same beat

    def _read(self, source: Source) -> None:
        try:
            for _ in source.notifications():
                self._heard.put(None)
        except Exception as error:
            self._heard.put(error)
