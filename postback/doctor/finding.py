"""What one look found."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is: `fail` does not work or will not, `warn` works but should be known."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `remedy` says what to do; None where all is well."""

    level: Level
    says: str
    remedy: str | None = None


def ok(says: str) -> Finding:
    """All is well."""
    return Finding(Level.OK, says)


def warn(says: str, remedy: str) -> Finding:
    """It works, but should be known."""
    return Finding(Level.WARN, says, remedy)


def fail(says: str, remedy: str) -> Finding:
    """It does not work, or soon will not."""
    return Finding(Level.FAIL, says, remedy)
