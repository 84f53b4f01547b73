"""Why a delivery that is due is not sent yet: others to the same endpoint failed, or it asked to be left alone."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from ledger.lane import Lane


@dataclass(frozen=True, slots=True)
class Hold:
    """The reason, and until when at least (in milliseconds), where that is known."""

    why: str
    until: int | None


def hold(row: Row[Any], lane: "Lane | Row[Any] | None", now: int) -> Hold | None:
    """What holds back a delivery, given the queue that it waits in; None if nothing does."""
    if lane is None or row.status != "pending":
        return None
    until = lane.paused_until if lane.paused_until is not None and lane.paused_until > now else None
    if lane.probing:
        return Hold(f"held back: {lane.failures} attempts in a row failed there, so one at a time is tried", until)
    return None if until is None else Hold("held back: it was asked there to slow down", until)
