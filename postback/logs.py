"""Structured logs: JSON for programs, plain lines on a terminal. No URL of a callback is ever logged."""

import contextlib
import json
import logging
import sys
from typing import Any, TextIO, cast

import structlog

_QUIET = ("httpx2", "httpcore2", "httpx", "httpcore", "uvicorn.access", "asyncio", "aiosqlite", "alembic")
"""Libraries that print requested URLs, tokens included, at INFO or DEBUG."""


# Without the local variables of each frame: they hold prompts, and what a database was opened with.
_TRACES = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))


def configure(level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Sets up logging for the whole process, on stderr unless another stream is given."""
    stream = stream or sys.stderr
    to_person = stream.isatty()
    stream = cast(TextIO, _Forgiving(stream))
    shown = structlog.dev.ConsoleRenderer() if to_person else structlog.processors.JSONRenderer(_as_json)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _TRACES if not to_person else structlog.processors.StackInfoRenderer(),
            shown,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(stream=stream)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    # Warns of each request that is none: as often as anybody likes.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)


_encode = json.JSONEncoder(default=repr).encode


def _as_json(event: Any, **_: Any) -> str:
    return _encode(event)


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
