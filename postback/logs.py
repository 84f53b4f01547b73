"""Structured logs: JSON for programs, plain lines on a terminal. No URL of a callback is ever logged."""

import logging
import sys
from typing import TextIO

import structlog

_QUIET = ("httpx2", "httpcore2", "httpx", "httpcore", "uvicorn.access", "asyncio", "aiosqlite", "alembic")
"""Libraries that print requested URLs, tokens included, at INFO or DEBUG."""


def configure(level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Sets up logging for the whole process, on stderr unless another stream is given."""
    stream = stream or sys.stderr
    shown = structlog.dev.ConsoleRenderer() if stream.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.dict_tracebacks if not stream.isatty() else structlog.processors.StackInfoRenderer(),
            shown,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(stream=stream)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
