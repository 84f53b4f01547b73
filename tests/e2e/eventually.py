"""Waiting for a condition, bounded."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PAUSE = 0.05


def eventually(look: Callable[[], T], within: float = 15, pause: float = PAUSE) -> T:
    """What `look` returns once it is truthy. An AssertionError inside counts as not yet; the last one is raised.
    `pause` is for looks that cost the server something."""
    deadline = time.monotonic() + within
    while True:
        failed: AssertionError | None = None
        found = None
        try:
            if found := look():
                return found
        except AssertionError as error:
            failed = error
        if time.monotonic() > deadline:
            raise failed or AssertionError(f"not within {within} s; the last look found {found!r}")
        time.sleep(pause)
