"""Structured logs: JSON for programs, plain lines on a terminal. No URL of a callback is ever logged."""

import asyncio
import contextlib
import json
import logging
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, TextIO, cast

import structlog
from pydantic_core import to_json

from postback.setting_types import Format, Level

_QUIET = ("httpx2", "httpcore2", "httpx", "httpcore", "uvicorn.access", "asyncio", "aiosqlite", "alembic")
"""Libraries that print requested URLs, tokens included, at INFO or DEBUG."""


# Without the local variables of each frame: they hold prompts, and what a database was opened with.
_TRACES = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))


def configure(level: Level = "info", form: Format = "auto", stream: TextIO | None = None) -> None:
    """Sets up logging for the whole process, on stderr unless another stream is given.

    `auto` is text on a terminal and JSON anywhere else.
    """
    stream = stream or sys.stderr
    forgiving = cast(TextIO, _Forgiving(stream))
    to_person = stream.isatty() if form == "auto" else form == "text"
    structlog.configure(
        processors=_for_person(colors=stream.isatty()) if to_person else [_Renderer()],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(forgiving) if to_person else lambda *_: _Lines(stream),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(stream=forgiving)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    # Warns of each request that is none: as often as anybody likes.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)


def _for_person(*, colors: bool) -> list[structlog.typing.Processor]:
    pretty, plain = structlog.dev.RichTracebackFormatter(show_locals=False), structlog.dev.plain_traceback
    return [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=pretty if colors else plain),
    ]


class _Renderer:
    """A line of JSON, made by hand: each attempt, callback and submission has one, and structlog's own processors
    together take several times as long."""

    def __init__(self, clock: Callable[[], int] = time.time_ns) -> None:
        self._clock = clock
        self._second = -1
        self._prefix = ""

    def __call__(self, logger: Any, method: str, event: structlog.typing.EventDict) -> bytes:
        event["level"] = "error" if method == "exception" else "warning" if method == "warn" else method
        event["timestamp"] = self._now()
        if "exc_info" in event:
            event = _TRACES(logger, method, event)
        try:
            return to_json(event, ensure_ascii=True, fallback=repr)
        except ValueError:  # half a surrogate pair, or bytes that are no text
            return json.dumps(event, default=repr).encode("ascii")

    def _now(self) -> str:
        second, rest = divmod(self._clock(), 1_000_000_000)
        if second != self._second:
            self._second, self._prefix = second, time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(second))
        return f"{self._prefix}{rest // 1_000:06d}Z"


class _Lines:
    """Writes each line whole, and at once; what only informs, with what else is said in the same turn of the event
    loop, as many lines often are after a commit. Loses what cannot be written."""

    def __init__(self, stream: TextIO) -> None:
        buffer = getattr(stream, "buffer", None)
        self._write: Callable[[Any], Any] = stream.write if buffer is None else buffer.write
        self._flush = stream.flush if buffer is None else buffer.flush
        self._text = buffer is None
        self._lock = threading.Lock()
        self._said: list[bytes] = []
        self._turn: asyncio.AbstractEventLoop | None = None
        """The event loop at the end of whose turn lines are written."""

    def msg(self, line: bytes) -> None:
        self._said.append(line)
        self._send()

    def info(self, line: bytes) -> None:
        self._said.append(line)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._send()
            return
        if loop is not self._turn:
            self._turn = loop
            loop.call_soon(self._end_turn)

    debug = info
    warning = error = critical = exception = warn = fatal = log = msg

    def _end_turn(self) -> None:
        self._turn = None
        self._send()

    def _send(self) -> None:
        with self._lock, contextlib.suppress(OSError):
            said = self._said[:]
            del self._said[: len(said)]  # other threads may have added more
            lines = b"\n".join([*said, b""])
            self._write(lines.decode("ascii") if self._text else lines)
            self._flush()


class _Forgiving:
    """Loses what cannot be written: a disk that is full must not end the loop that wants to say so."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()
