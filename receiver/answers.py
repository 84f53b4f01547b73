"""What comes back through the door out: an answer, the beginning of one, or why there is none."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from receiver.timing import UNTIMED, Timing

ErrorClass = Literal["dns", "connect", "tls", "timeout", "guard", "response"]


class EgressError(Exception):
    """No usable answer came. `message` names scheme, host and port at most, never path or query.

    `timing` says how far it came: the last phase that has a time is the one it failed in.
    """

    def __init__(self, error_class: ErrorClass, message: str, timing: Timing = UNTIMED) -> None:
        super().__init__(message)
        self.error_class = error_class
        self.message = message
        self.timing = timing


class Response(NamedTuple):
    """What came back: header names in lower case, and the first bytes of the body as they were sent.

    `truncated` says that there were more. A Content-Encoding is still on them.
    """

    status: int
    headers: Mapping[str, str]
    excerpt: bytes
    truncated: bool
    duration_ms: int
    timing: Timing = UNTIMED


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer whose body is still to come, in chunks. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]
