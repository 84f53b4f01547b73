"""One connection over which requests go out and answers come back: HTTP/1.1, one exchange at a time.

The parser is llhttp, by way of httptools, as strict as it comes. What it does not count is counted here: HTTP sets no
limit to informational answers (RFC 9110 §15.2), empty lines, chunk extensions, header fields or the zeros before the
size of a chunk. Each costs little to send and much to read.
"""

import asyncio
import select
from typing import cast

from httptools import HttpParserCallbackError, HttpParserError, HttpParserUpgrade, HttpResponseParser

MAX_ANSWER = 512 * 1024
"""Bytes of an answer that may be read: far more than its headers and an excerpt of its body can need."""

MAX_FIELD = 8190
"""Bytes of the name or the value of one header field, and of the reason behind a status."""

MAX_FIELDS = 64
CHUNK = 64 * 1024

_BODILESS = (204, 304)


class Broken(Exception):
    """There is no answer, or no more of it. The message says why, and quotes nothing that came."""


class Late(Exception):
    """The deadline came first."""


class Answer:
    """What has come so far. `headers` are as received; `body` holds what nobody has taken yet.

    `begun` says that status and headers are here, `complete` that all is, and `kept` that another request may follow.
    """

    __slots__ = ("begun", "body", "complete", "headers", "kept", "status")

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = bytearray()
        self.begun = False
        self.complete = False
        self.kept = False


class Connection(asyncio.Protocol):
    """Made by an event loop's `create_connection`. Closed when an exchange is canceled or breaks."""

    def __init__(self) -> None:
        self.idle_since = 0.0
        self._loop = asyncio.get_running_loop()
        self._parser = HttpResponseParser(self)
        self._answer: Answer | None = None
        self._enough = 0
        self._left = 0
        self._streams = False
        self._waiter: asyncio.Future[None] | None = None
        self._broken: Broken | Late | None = None

    @property
    def usable(self) -> bool:
        """Whether a request may be sent: nothing has come that nobody asked for, and the other side has not left."""
        return self._broken is None and self._answer is None and not self._heard()

    async def exchange(self, request: bytes, answer: Answer, enough: int, deadline: float) -> None:
        """Sends a request, and returns when the answer is complete, or has begun with `enough` bytes of its body.

        `deadline` is a time of the event loop. Raises `Broken` and `Late`. `finish` must be called before the
        next.
        """
        self._answer = answer
        self._left = MAX_ANSWER
        self._streams = False
        self._transport.write(request)
        expiry = self._loop.call_at(deadline, self._expire)
        try:
            await self._wait(enough)
        finally:
            expiry.cancel()

    async def read(self) -> bytes:
        """More of the body of an answer that has begun; empty at its end. The body may have any length from now on.
        Raises `Broken`."""
        answer = cast(Answer, self._answer)
        self._streams = True
        if not (answer.body or answer.complete):
            self._transport.resume_reading()
            await self._wait(1)
        taken = bytes(answer.body)
        answer.body.clear()
        return taken

    def finish(self) -> bool:
        """Ends an exchange. Whether the connection may be kept for another; it is closed if not."""
        answer, self._answer = self._answer, None
        if self._broken is None and answer is not None and answer.kept and not self._transport.get_write_buffer_size():
            self._transport.resume_reading()  # a large answer may have ended while it was paused
            return True
        self.abort()
        return False

    def abort(self) -> None:
        """Hangs up, whatever is under way."""
        self._break(Broken("it was given up"))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._poll = select.poll() if hasattr(select, "poll") else None  # Windows has none
        if self._poll is not None:
            self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        if self._answer is None:
            self.abort()  # or it would be taken for the answer to the next request
            return
        self._left -= len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            self._answer.kept = False
        except HttpParserError as error:
            self._misread(error)
        if self._left < 0:
            self._break(Broken(f"more than {MAX_ANSWER // 1024} KiB came, and no answer"))

    def eof_received(self) -> None:
        answer = self._answer
        if answer is not None and answer.begun and not answer.complete and not _framed(answer):
            answer.complete = True
            self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._break(Broken("the answer ended early or is malformed"))

    def on_message_begin(self) -> None:
        """Of the parser: an answer begins. One that follows a complete one is nobody's."""
        answer = cast(Answer, self._answer)
        answer.kept = False

    def on_status(self, reason: bytes) -> None:
        """Of the parser: the text behind the status, or a part of it."""
        if len(reason) > MAX_FIELD:
            raise Broken("the reason is too long")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Of the parser: a whole field of the headers, or of the trailers, which nobody reads."""
        answer = cast(Answer, self._answer)
        if answer.begun:
            return
        if len(name) > MAX_FIELD or len(value) > MAX_FIELD or len(answer.headers) == MAX_FIELDS:
            raise Broken("the headers are too long or too many")
        answer.headers.append((name, value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        """Of the parser: the status and the headers are whole."""
        answer = cast(Answer, self._answer)
        if answer.complete:
            return
        status = self._parser.get_status_code()
        if status < 100:
            raise Broken("there is no such status")
        if 100 <= status < 200 and status != 101:
            answer.headers.clear()
            return
        answer.status = status
        answer.begun = True
        self._wake()

    def on_body(self, body: bytes) -> None:
        """Of the parser: some of the body."""
        answer = cast(Answer, self._answer)
        if answer.complete:
            return
        answer.body += body
        if self._streams:
            # Whoever reads bounds the body. What is around it may be as much again, and is counted as ever.
            self._left = min(MAX_ANSWER, self._left + 2 * len(body))
        self._wake()
        if len(answer.body) > CHUNK:
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        """Of the parser: the answer is whole, unless it was informational."""
        answer = cast(Answer, self._answer)
        if answer.begun and not answer.complete:
            answer.complete = True
            answer.kept = self._parser.should_keep_alive()
            self._wake()

    def _heard(self) -> bool:
        """Whether something lies in the system's buffer that the event loop had no time to read."""
        return self._poll is not None and bool(self._poll.poll(0))

    async def _wait(self, enough: int) -> None:
        if self._broken is not None:
            raise self._broken
        self._enough = enough
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        except asyncio.CancelledError:
            self.abort()
            raise
        finally:
            self._waiter = None

    def _wake(self) -> None:
        answer, waiter = self._answer, self._waiter
        if waiter is None or waiter.done() or answer is None:
            return
        if answer.complete or (answer.begun and len(answer.body) >= self._enough):
            waiter.set_result(None)

    def _misread(self, error: HttpParserError) -> None:
        answer = cast(Answer, self._answer)
        answer.kept = False
        if answer.complete:
            return
        cause = error.__context__ if isinstance(error, HttpParserCallbackError) else error
        reason = str(cause).partition(":")[0] or "malformed"
        self._break(Broken(f"the answer cannot be read as HTTP: {reason}"))

    def _expire(self) -> None:
        self._break(Late())

    def _break(self, reason: Broken | Late) -> None:
        if self._broken is None:
            self._broken = reason
            self._transport.abort()
            if self._waiter is not None and not self._waiter.done():
                self._waiter.set_exception(reason)


def _framed(answer: Answer) -> bool:
    """Whether an answer says itself where it ends (RFC 9112 §6.3)."""
    return answer.status in _BODILESS or any(
        name == b"content-length" or (name == b"transfer-encoding" and b"chunked" in value.lower())
        for name, value in ((name.lower(), value) for name, value in answer.headers)
    )
