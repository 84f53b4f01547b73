"""Hangs up on those who send for ever what never becomes an answer.

HTTP sets no limit to informational answers (RFC 9110 §15.2), empty lines, chunk extensions or the zeros before the size
of a chunk. Each costs little to send and much to read, and no limit of the HTTP client counts them.
"""

import asyncio
import errno
from typing import cast

MAX_ANSWER = 512 * 1024
"""Bytes of an answer that may be read: far more than its headers and an excerpt of its body can need."""

TOO_MUCH = errno.EMSGSIZE
"""The `errno` of the OSError that a connection is lost with when more came."""


class Bounded(asyncio.Protocol):
    """Stands between a transport and its protocol. `left` is how many more bytes may come."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.left: float = 0
        self._transport = transport
        self._inner = cast(asyncio.Protocol, transport.get_protocol())
        transport.set_protocol(self)

    def data_received(self, data: bytes) -> None:
        self.left -= len(data)
        self._inner.data_received(data)
        if self.left < 0:
            self._transport.abort()

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._inner.connection_lost(OSError(TOO_MUCH, "too much came") if self.left < 0 else exc)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()
