"""What the product logs as an error, heard while a run lasts."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import structlog


@contextmanager
def heard_logs(heard: Callable[[str, BaseException | None], None]) -> Iterator[None]:
    """Hears of errors that the product logs."""

    def hear(logger: Any, name: str, event: Any) -> Any:
        error = event.get("exc_info")
        heard(event["event"], error if isinstance(error, BaseException) else sys.exc_info()[1])
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[hear], wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    try:
        yield
    finally:
        structlog.configure(**before)
