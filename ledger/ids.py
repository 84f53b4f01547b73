"""Ids that sort by time: a UUIDv7 (RFC 9562) written as a TypeID, e.g. `job_01h455vb4pex5vsknk084sn02q`."""

import os
import re
from collections.abc import Callable
from functools import lru_cache

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_SHAPE = re.compile(r"[a-z]{2,8}_[0-7][0-9a-hjkmnp-tv-z]{25}")
_RANDOM_BITS = 74
_RANDOM_MASK = (1 << _RANDOM_BITS) - 1
_DIGITS = str.maketrans(_ALPHABET, "0123456789abcdefghijklmnopqrstuv")
"""Python's own base 32 has other letters."""
_BYTES = 10
_STOCK = 100
"""How often random bytes are fetched at once: asking the system for them costs as much as all else."""
_TAIL_BITS = 20
_TAIL_MASK = (1 << _TAIL_BITS) - 1


class Ids:
    """Makes ids that never repeat and never go back, even within a millisecond or when the clock does.

    Each millisecond begins at random and is counted on from there (RFC 9562, section 6.2, method 2): an id names, and
    is no secret. `random_bytes(n)` returns n random bytes.
    """

    def __init__(self, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        self._random_bytes = random_bytes
        self._stock: list[bytes] = []
        self._last = 0
        self._now = -1
        # All but the last four characters, which change once in a million ids or with the millisecond.
        self._head = ""
        self._of_head = -1

    def new(self, prefix: str, now: int) -> str:
        """An id for a thing made at `now` (milliseconds)."""
        self._last += 1
        if now != self._now:
            self._now = now
            # Half of the random range is left free so that counting on within a millisecond cannot overflow it.
            payload = int.from_bytes(self._random()) & (_RANDOM_MASK >> 1)
            self._last = max(now << _RANDOM_BITS | payload, self._last)
        last = self._last
        if last >> _TAIL_BITS != self._of_head:
            self._of_head = last >> _TAIL_BITS
            self._head = _typeid(last >> _RANDOM_BITS, last & _RANDOM_MASK)[:-4]
        tail = last & _TAIL_MASK
        return f"{prefix}_{self._head}{_PAIRS[tail >> 10]}{_PAIRS[tail & 1023]}"

    def _random(self) -> bytes:
        try:
            return self._stock.pop()
        except IndexError:
            fetched = self._random_bytes(_BYTES * _STOCK)
            self._stock = [fetched[start : start + _BYTES] for start in range(0, len(fetched), _BYTES)]
            return self._stock.pop()


def first(prefix: str, now: int) -> str:
    """An id that sorts before all that are made at `now` (milliseconds) or later."""
    return f"{prefix}_{_typeid(max(now, 0), 0)}"


def made_at(identifier: str) -> int:
    """When the thing with that id was made, in milliseconds. Raises ValueError for what is no id."""
    return int(identifier.rpartition("_")[2][:10].translate(_DIGITS), 32)


def span(prefix: str, earliest: str, latest: str) -> tuple[str, str]:
    """Between which ids those are that were made in the same millisecond as one of two others, or between them."""
    return first(prefix, made_at(earliest)), first(prefix, made_at(latest) + 1)


def is_id(text: str, prefix: str) -> bool:
    """Whether `text` could be an id of that kind."""
    return text.startswith(prefix + "_") and _SHAPE.fullmatch(text) is not None


def _typeid(milliseconds: int, random: int) -> str:
    """A UUIDv7 in base 32. Ten characters hold the 48 bits of the time, the other sixteen all else."""
    version, variant = 7, 2
    rest = version << 76 | (random >> 62) << 64 | variant << 62 | random & ((1 << 62) - 1)
    return _time(milliseconds) + "".join([_PAIRS[rest >> shift & 1023] for shift in (70, 60, 50, 40, 30, 20, 10, 0)])


@lru_cache(maxsize=8)  # what is made together is made in the same few milliseconds
def _time(milliseconds: int) -> str:
    return "".join([_PAIRS[milliseconds >> shift & 1023] for shift in (40, 30, 20, 10, 0)])
