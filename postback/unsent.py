"""Clients that do not read what they asked for, or have gone: uvicorn waits for ever for the one, and stumbles over the
other."""

import asyncio
from typing import Any


class Patient:
    """A transport that writes to whoever reads. One that takes nothing for `seconds` is hung up on; what is said to one
    that has gone is dropped."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._transport = transport
        self._loop = loop
        self._seconds = seconds
        self._written = 0
        self._timer: asyncio.TimerHandle | None = None

    def write(self, data: bytes) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(data)
        self._written += len(data)
        if self._timer is None and self._transport.get_write_buffer_size():
            self._watch()

    def pause_reading(self) -> None:
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def lost(self) -> None:
        """The connection has ended."""
        if self._timer is not None:
            self._timer.cancel()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _taken(self) -> int:
        return self._written - self._transport.get_write_buffer_size()

    def _watch(self) -> None:
        self._timer = self._loop.call_later(self._seconds, self._look, self._taken())

    def _look(self, taken: int) -> None:
        self._timer = None
        if not self._transport.get_write_buffer_size():
            return
        if self._taken() == taken:
            self._transport.abort()
        else:
            self._watch()
