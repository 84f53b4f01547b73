"""Ids that sort by time: a UUIDv7 (RFC 9562) written as a TypeID, e.g. `job_01h455vb4pex5vsknk084sn02q`."""

import os
import re
from collections.abc import Callable

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_SHAPE = re.compile(r"[a-z]{2,8}_[0-7][0-9a-hjkmnp-tv-z]{25}")
_RANDOM_BITS = 74
_RANDOM_MASK = (1 << _RANDOM_BITS) - 1


class Ids:
    """Makes ids that never repeat and never go back, even within a millisecond or when the clock does.

    `random_bytes(n)` returns n random bytes.
    """

    def __init__(self, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        self._random_bytes = random_bytes
        self._last = 0

    def new(self, prefix: str, now: int) -> str:
        """An id for a thing made at `now` (milliseconds)."""
        payload = int.from_bytes(self._random_bytes(10)) & (_RANDOM_MASK >> 1)
        # Half of the random range is left free so that counting on within a millisecond cannot overflow it.
        self._last = max(now << _RANDOM_BITS | payload, self._last + 1)
        return f"{prefix}_{_base32(_uuid7(self._last >> _RANDOM_BITS, self._last & _RANDOM_MASK))}"


def first(prefix: str, now: int) -> str:
    """An id that sorts before all that are made at `now` (milliseconds) or later."""
    return f"{prefix}_{_base32(_uuid7(max(now, 0), 0))}"


def is_id(text: str, prefix: str) -> bool:
    """Whether `text` could be an id of that kind."""
    return text.startswith(prefix + "_") and _SHAPE.fullmatch(text) is not None


def _uuid7(milliseconds: int, random: int) -> int:
    version, variant = 7, 2
    return milliseconds << 80 | version << 76 | (random >> 62) << 64 | variant << 62 | random & ((1 << 62) - 1)


def _base32(value: int) -> str:
    return "".join([_PAIRS[value >> shift & 1023] for shift in range(120, -1, -10)])
