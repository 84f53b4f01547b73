"""A clock that can be stepped from outside, and leases short enough to be outlived in a test."""

import os
import time

from dispatcher import patience, poller, submitter
from receiver import forwarder


def follow(path: str) -> None:
    """From now on the time is wrong by as many milliseconds as the file at that path says; missing, it is right."""
    really = time.time_ns

    def shifted() -> int:
        try:
            with open(path) as file:
                offset = int(file.read() or 0)
        except (OSError, ValueError):
            offset = 0
        return really() + offset * 1_000_000

    time.time_ns = shifted


def step(path: str, milliseconds: int) -> None:
    """Sets the clock of whoever follows that file."""
    with open(f"{path}.new", "w") as file:
        file.write(str(milliseconds))
    os.replace(f"{path}.new", path)


def shorten_leases(milliseconds: str) -> None:
    """Leases last that long, instead of most of a minute."""
    submitter.LEASE = patience.POLL_LEASE = poller.LEASE = forwarder.LEASE_MARGIN = int(milliseconds)
