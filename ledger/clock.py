"""Time as the ledger keeps it: integer UTC milliseconds inside, RFC 3339 with `Z` on the wire."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache

from ledger.errors import Damaged

Clock = Callable[[], int]
"""Returns now, in UTC milliseconds since 1970."""

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - of UTC, and without an offset to be written


def system_now() -> int:
    """The machine's clock."""
    return time.time_ns() // 1_000_000


@lru_cache(maxsize=256)  # a batch writes the same few again and again
def rfc3339(milliseconds: int) -> str:
    """`2026-01-31T12:00:00.250Z`. Raises `Damaged` for what nobody can have written: a year that no date has."""
    try:
        moment = _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        raise Damaged from None
    return moment.isoformat(timespec="milliseconds") + "Z"


def parse_rfc3339(text: str) -> int:
    """Milliseconds of an RFC 3339 time with an offset or `Z`. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("the time has no zone; write it as 2026-01-31T12:00:00Z")
    return int(moment.timestamp() * 1_000)
