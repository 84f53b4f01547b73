"""Connections that take their time, or are too many: uvicorn waits for ever for headers and bodies, of whatever number
of bytes, and for who does not read its answers, and takes whoever comes."""

import asyncio
from collections.abc import Sequence, Sized
from http import HTTPStatus
from typing import Any, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from postback.api import headers
from postback.unsent import Patient
from receiver.direct import Direct, Prepared, Take

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


class _Flow(FlowControl):
    """Reads on only when nothing waits for its turn: uvicorn reads on with every answer, however many requests of one
    client wait already."""

    def __init__(self, transport: asyncio.Transport, pipeline: Sized) -> None:
        super().__init__(transport)
        self._pipeline = pipeline

    def resume_reading(self) -> None:
        if not self._pipeline:
            super().resume_reading()


class BoundedProtocol(HttpToolsProtocol):
    """Closes connections that are silent, or whose headers or body do not come to an end in time or at all.

    A wish for another protocol is declined by going on with this one (RFC 9110, section 7.8).

    Requests that `refuse` takes, or `take` where there is nothing unusual in them, have no task, and the application
    sees nothing of them. Those that are sent before the last one was answered are always passed on to it.
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
    _taken: Direct | None = None
    """The request whose body is coming, unless it is the application's."""
    _owed = False
    """Whether one that was taken is still to be answered."""
    _kept = True
    """Whether the connection is good for another request after that."""
    _idle = False
    """Whether the deadline is for the next request to begin."""
    _declined = False
    """Whether the request whose headers have come wants another protocol, and is to be read again without."""
    _wishes: Sequence[tuple[bytes, bytes]] = ()
    """The headers that said so, as long as it is read again."""

    def __init__(self, *args: Any, refuse: Take, take: Take, most: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._refuse = refuse
        self._take = take
        self._most = most

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._patient = Patient(transport, self.loop, self.ANSWER_SECONDS)
        super().connection_made(cast(asyncio.Transport, self._patient))
        self.flow = _Flow(cast(asyncio.Transport, self._patient), self.pipeline)
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
        if (self._taken is not None or self._owed) and not self.pipeline:
            self._kept = False
        else:
            super().shutdown()
        self.loop.call_later(self.LEAVE_SECONDS, self._leave)

    def _leave(self) -> None:
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._deadline is None or self._idle:
            # The first byte of another request on a kept connection, be it only an empty line.
            self._idle = False
            self._within(self.HEAD_SECONDS)
        if not self._in_body:
            self._head_size += len(data)
        self._unset_keepalive_if_required()
        self._feed(data)
        if not self._in_body and self._head_size > MAX_HEAD:
            self._give_up(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def _feed(self, data: bytes) -> None:
        left = memoryview(data)
        while left or self._declined:
            try:
                if self._declined:
                    self._read_again()
                self.parser.feed_data(left)
            except HttpParserUpgrade as upgrade:
                if not self._declined:
                    return  # a CONNECT: what follows is no HTTP
                left = left[upgrade.args[0] :]
            except HttpParserError:
                self.send_400_response("Invalid HTTP request received.")
                return
            else:
                return

    def _read_again(self) -> None:
        """Gives another parser the head that has come, without the wish for another protocol: for the sake of that the
        first one reads no body."""
        lines = [
            b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode("ascii"))
        ]
        lines += [b"%s: %s" % header for header in self.headers if header[0] != b"upgrade"]
        self._wishes = [header for header in self.headers if header[0] == b"upgrade"]
        self._declined = False
        self.parser = HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        self.parser.feed_data(b"\r\n".join([*lines, b"", b""]))

    def on_message_begin(self) -> None:
        if self._deadline is None:
            self._within(self.HEAD_SECONDS)
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT":
            self._declined = True
            return
        self.headers += self._wishes
        self._wishes = ()
        self._in_body = True
        self._within(self.BODY_SECONDS)
        answered = not self._owed and (self.cycle is None or self.cycle.response_complete)
        # Who asks whether to send the body would wait for an answer before it, and we for the body.
        if answered and not self.expect_100_continue:
            self._kept = self._is_kept()
            asked = self.parser.get_method(), self.url, self.headers
            plain = self._kept and not headers.too_large(self.headers)
            self._taken = self._refuse(*asked) or (self._take(*asked) if plain else None)
        if self._taken is None:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._taken is None:
            super().on_body(body)
        else:
            self._taken.receive(body)

    def on_message_complete(self) -> None:
        if self._declined:
            return
        self._in_body = False
        self._head_size = 0
        self._deadline = None
        if self._taken is None:
            super().on_message_complete()
            return
        taken, self._taken = self._taken, None
        self._owed = True
        taken.end(self._answer)

    def _is_kept(self) -> bool:
        """Whether the client will send another request, and takes its answers."""
        return (
            self.parser.should_keep_alive() and self.parser.get_http_version() != "1.0" and not self.flow.write_paused
        )

    def _answer(self, answer: Prepared) -> None:
        self._owed = False
        if self.transport.is_closing():
            return
        own = [b"%s: %s\r\n" % header for header in self.server_state.default_headers]
        if not self._kept:
            own.append(b"connection: close\r\n")
        self.transport.write(b"".join((answer.status, *own, answer.rest)))
        if not self._kept:
            self.transport.close()
        elif self.pipeline:
            self.on_response_complete()
        else:
            self.server_state.total_requests += 1
            if self._deadline is None:  # nothing of the next request has come
                self._idle = True
                self._within(self.timeout_keep_alive)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self.flow.resume_reading()

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        if self._owed:
            # As uvicorn does with all that come before an answer.
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, app))
        else:
            super()._start_asgi_task(cycle, app)

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
        started |= self._owed
        if not started and self._head_size:
            line = f"HTTP/1.1 {status.value} {status.phrase}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
            self.transport.write(line.encode("ascii"))
        self.transport.close()
