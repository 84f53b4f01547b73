"""Connections that take their time: uvicorn waits for ever for headers and bodies, of whatever number of bytes."""

import asyncio
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD = 128 * 1024
"""How many bytes may come before the headers end; the application's own, finer limits answer below that."""


class BoundedProtocol(HttpToolsProtocol):
    """Closes connections that are silent, or whose headers or body do not come to an end in time or at all."""

    HEAD_SECONDS = 10.0
    BODY_SECONDS = 30.0

    _deadline: asyncio.TimerHandle | None = None
    _in_body = False
    _head_size = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._within(self.HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._unset_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._deadline is None:
            # The first byte of another request on a kept connection, be it only an empty line.
            self._within(self.HEAD_SECONDS)
        if not self._in_body:
            self._head_size += len(data)
        super().data_received(data)
        if not self._in_body and self._head_size > MAX_HEAD:
            self._give_up(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_message_begin(self) -> None:
        if self._deadline is None:
            self._within(self.HEAD_SECONDS)
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_body = True
        self._within(self.BODY_SECONDS)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_body = False
        self._head_size = 0
        self._unset_deadline()
        super().on_message_complete()

    def _within(self, seconds: float) -> None:
        self._unset_deadline()
        self._deadline = self.loop.call_later(seconds, self._give_up, HTTPStatus.REQUEST_TIMEOUT)

    def _unset_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self, status: HTTPStatus) -> None:
        self._unset_deadline()
        if self.transport.is_closing():
            return
        started = self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete
        if not started and self._head_size:
            line = f"HTTP/1.1 {status.value} {status.phrase}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
            self.transport.write(line.encode("ascii"))
        self.transport.close()
