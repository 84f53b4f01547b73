"""The trace that a job belongs to, from the request that asked for it to the last attempt to tell of it.

A trace is kept and handed on as a `traceparent` (W3C Trace Context, "Traceparent Header"). Whoever collects spans is
somebody else's business: a `Tracer` opens them, and the one here only hands on what it was given.
"""

import re
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

_SHAPE = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED = 1


def read(headers: Sequence[str]) -> str | None:
    """The `traceparent` of a request, in version 00; None where there is none, several, or one that is not valid."""
    if len(headers) != 1:
        return None
    found = _SHAPE.fullmatch(headers[0].strip())
    if found is None:
        return None
    version, trace, parent, flags, more = found.groups()
    if version == "ff" or not int(trace, 16) or not int(parent, 16) or (more is not None and version == "00"):
        return None
    # Of a later version only this much is known, and only this flag.
    flags = flags if version == "00" else f"{int(flags, 16) & _SAMPLED:02x}"
    return f"00-{trace}-{parent}-{flags}"


def trace_id(traceparent: str | None) -> str | None:
    """The 32 hexadecimal digits that all spans of a trace share."""
    return None if traceparent is None else traceparent[3:35]


class Span(Protocol):
    """One step of a trace, open while its `with` runs. `traceparent` makes what comes of it its child."""

    traceparent: str | None

    def tell(self, **attributes: str | int | None) -> None:
        """Adds what is known by now; None is left out."""

    def fail(self, why: str) -> None:
        """Marks the step as failed, for a reason that holds no secret."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Tracer(Protocol):
    """Opens spans."""

    def span(self, name: str, parent: str | None, **attributes: str | int | None) -> Span:
        """A step of the trace that `parent`, a `traceparent`, belongs to; without one it may begin a trace."""


class HandOn:
    """The tracer of a process that collects nothing."""

    def span(self, name: str, parent: str | None, **attributes: str | int | None) -> Span:
        return _Handed(parent)


class _Handed:
    __slots__ = ("traceparent",)

    def __init__(self, traceparent: str | None) -> None:
        self.traceparent = traceparent

    def tell(self, **attributes: str | int | None) -> None:
        pass

    def fail(self, why: str) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass
