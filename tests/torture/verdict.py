"""What one row says, in a word: whether its rules held, and with a promise broken, whether that one was noticed."""

import re
from enum import StrEnum

from tests.torture.breaks import NOTICED
from tests.torture.judge import Row


class Verdict(StrEnum):
    """As it is printed."""

    HELD = "held"
    BROKEN = "BROKEN"
    NOTICED = "noticed"
    OTHERWISE = "BROKEN OTHERWISE"
    CRASHED = "HARNESS CRASHED"
    NOT_JUDGED = "not judged"


CODES = {
    Verdict.HELD: 0,
    Verdict.NOT_JUDGED: 0,
    Verdict.BROKEN: 1,
    Verdict.NOTICED: 1,
    Verdict.OTHERWISE: 2,
    Verdict.CRASHED: 2,
}
"""The exit code that each asks for."""


def verdict(row: Row, sabotage: str = "") -> Verdict:
    """`sabotage` is the break the row was played with; it is noticed only by a rule that is meant to notice it."""
    if row.crash:
        return Verdict.CRASHED
    if row.broken and sabotage:
        return Verdict.NOTICED if _noticed(row, sabotage) else Verdict.OTHERWISE
    if row.broken:
        return Verdict.BROKEN
    return Verdict.HELD if row.judged else Verdict.NOT_JUDGED


def reason(row: Row, sabotage: str = "") -> str:
    """Why the verdict is what it is, '' where all is well."""
    if row.crash or not row.broken:
        return row.crash
    return _noticed(row, sabotage) or row.broken[0]


def _noticed(row: Row, sabotage: str) -> str:
    """The rule that noticed the break, '' for none."""
    return next((rule for rule in row.broken if sabotage and re.search(NOTICED[sabotage], rule)), "")
