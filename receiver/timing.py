"""How long each phase of an exchange takes: finding the address, connecting, the TLS handshake, the answer."""

import ssl
from collections.abc import Callable
from contextvars import ContextVar
from typing import Literal, NamedTuple

Phase = Literal["dns", "connect", "tls", "response"]


class Timing(NamedTuple):
    """Milliseconds of each phase. None where one did not happen: a kept connection has only `response`, an address
    instead of a name no `dns`, and an exchange that failed none of the phases behind the one it failed in."""

    dns: int | None = None
    connect: int | None = None
    tls: int | None = None
    response: int | None = None

    @property
    def total(self) -> int:
        """All phases together."""
        return sum(part for part in (self.dns, self.connect, self.tls, self.response) if part is not None)

    def document(self) -> dict[str, int | None]:
        """As it is kept and shown."""
        return self._asdict()


UNTIMED = Timing()
"""Nothing happened that takes time."""


class Stopwatch:
    """Times one exchange. A phase that is entered again, as for another address of the same name, goes on.

    `clock` gives seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._spent: dict[Phase, float] = {}
        self._since = 0.0
        self.phase: Phase | None = None

    def enter(self, phase: Phase) -> None:
        """Ends the phase that runs, if one does, and begins this one."""
        self._count()
        self._spent.setdefault(phase, 0.0)
        self.phase = phase

    def timing(self) -> Timing:
        """What has been measured up to now."""
        self._count()
        return Timing(**{phase: round(spent * 1000) for phase, spent in self._spent.items()})

    def _count(self) -> None:
        now = self._clock()
        if self.phase is not None:
            self._spent[self.phase] += now - self._since
        self._since = now


RUNNING: ContextVar[Stopwatch | None] = ContextVar("running", default=None)
"""The stopwatch of the exchange for which a connection is being made. Sockets and handshakes are made for the event
loop, far below whoever asked; but what the loop does for a task it does in that task's context."""


def entering(phase: Phase) -> None:
    """Tells the stopwatch that runs, if one does."""
    if (watch := RUNNING.get()) is not None:
        watch.enter(phase)


class TimedHandshake(ssl.SSLObject):
    """For `SSLContext.sslobject_class`, the documented place where a context can be given its own TLS objects."""

    def do_handshake(self) -> None:
        entering("tls")
        super().do_handshake()
