"""Connections that take their time, or are too many: uvicorn waits for ever for headers and bodies, of whatever number
of bytes, and for who does not read its answers, and takes whoever comes."""

import asyncio
from http import HTTPStatus
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from postback.shedding import Shedding
from postback.unsent import Patient

MAX_HEAD = 128 * 1024
"""How many bytes may come before the headers end; the application's own, finer limits answer below that."""

MAX_CONNECTIONS = 8_192
RESERVE = 512
"""How many files are left to the database, to images and to what goes out."""


def most_connections() -> int:
    """How many connections may be open at once, each being a file: the limit on those is raised for them where it may
    be, because what is usual for a person's programs is little for a server."""
    wanted = MAX_CONNECTIONS + RESERVE
    try:
        import resource
    except ImportError:  # pragma: no cover - Windows
        return MAX_CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return MAX_CONNECTIONS
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return max(1, most - RESERVE)


class BoundedProtocol(HttpToolsProtocol):
    """Closes connections that are silent, or whose headers or body do not come to an end in time or at all.

    Requests that `shedding` refuses are answered here, once their bodies have come and been dropped: the connection
    stays good for the next one. Those that are sent before the last one was answered must wait, and go on.
    """

    HEAD_SECONDS = 10.0
    BODY_SECONDS = 30.0
    ANSWER_SECONDS = 10.0
    """In which something of an answer must be taken."""
    LEAVE_SECONDS = 3.0
    """How long, when the server stops, one may take that does not keep up with its answer."""

    _deadline: float | None = None
    _timer: asyncio.TimerHandle | None = None
    _in_body = False
    _head_size = 0
    _refusal: bytes | None = None

    def __init__(self, *args: Any, shedding: Shedding, most: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._shedding = shedding
        self._most = most

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._patient = Patient(transport, self.loop, self.ANSWER_SECONDS)
        super().connection_made(cast(asyncio.Transport, self._patient))
        if len(self.connections) > self._most:
            # Even to read what it wants would need room that others have.
            transport.abort()
            return
        self._within(self.HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline = None
        self._patient.lost()
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        super().shutdown()
        self.loop.call_later(self.LEAVE_SECONDS, self._leave)

    def _leave(self) -> None:
        if self.transport.get_write_buffer_size():
            self.transport.abort()

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
        answered = self.cycle is None or self.cycle.response_complete
        # Who asks whether to send the body would wait for an answer before it, and we for the body.
        if answered and not self.expect_100_continue:
            self._refusal = self._shedding.refusal(self.parser.get_method(), self.url)
        if self._refusal is None:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._refusal is None:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_body = False
        self._head_size = 0
        self._deadline = None
        if self._refusal is None:
            super().on_message_complete()
        else:
            self._refuse(self._refusal)

    def _refuse(self, answer: bytes) -> None:
        self._refusal = None
        self.transport.write(answer)
        kept = self.parser.should_keep_alive() and self.parser.get_http_version() != "1.0"
        if kept and not self.flow.write_paused:
            self.on_response_complete()
        else:
            self.transport.close()

    def _within(self, seconds: float) -> None:
        """Moves the deadline. The timer stays where it is and looks for itself: one a request would cost more than all
        else that happens here."""
        self._deadline = self.loop.time() + seconds
        if self._timer is None or self._timer.when() > self._deadline:
            self._look_at(self._deadline)

    def _look_at(self, time: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_at(time, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._deadline is not None and self.loop.time() < self._deadline:
            self._look_at(self._deadline)
        elif self._deadline is not None:
            self._give_up(HTTPStatus.REQUEST_TIMEOUT)

    def _give_up(self, status: HTTPStatus) -> None:
        self._deadline = None
        if self.transport.is_closing():
            return
        started = self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete
        if not started and self._head_size:
            line = f"HTTP/1.1 {status.value} {status.phrase}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
            self.transport.write(line.encode("ascii"))
        self.transport.close()
