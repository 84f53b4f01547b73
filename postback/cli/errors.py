"""How a command ends: its exit code, and one message that says what to do next."""

from enum import IntEnum

from typer import TyperException


class ExitCode(IntEnum):
    """What the exit code of a command tells a script."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    NOT_ALLOWED = 4
    UNREACHABLE = 5
    INTERRUPTED = 130
    TIMED_OUT = 124


class CommandFailed(TyperException):
    """Ends the command with `message` on stderr and `exit_code`."""

    def __init__(self, message: str, exit_code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code
