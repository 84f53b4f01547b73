"""Structured logs on stderr: JSON for programs, plain lines on a terminal. No URL of a callback is ever logged."""

import logging
import sys

import structlog

_QUIET = ("httpx2", "httpcore2", "httpx", "httpcore", "uvicorn.access", "asyncio", "aiosqlite", "alembic")
"""Libraries that print requested URLs, tokens included, at INFO or DEBUG."""


def configure(level: int = logging.INFO) -> None:
    """Sets up logging for the whole process."""
    shown = structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.dict_tracebacks
            if not sys.stderr.isatty()
            else structlog.processors.StackInfoRenderer(),
            shown,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
