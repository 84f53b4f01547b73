"""SQLite's write-ahead log, read to see whether it is whole.

SQLite takes what comes before the first frame whose checksum is wrong, and forgets the rest without a word: after a
crash that is the transaction which was not committed yet. Here each commit is synced before the next begins, so only
one can be half there; and of one that failed, what the next did not overwrite. If more than one lies in a row behind a
wrong frame, what was acknowledged has been damaged.
Format: https://www.sqlite.org/fileformat2.html#walformat
"""

import struct
from dataclasses import dataclass
from pathlib import Path

_HEADER = 32
_FRAME = 24
_MAGIC = 0x377F0682  # its lowest bit tells the byte order of the checksums

Sums = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Damage:
    """Where the first wrong frame begins, in bytes, and how many commits lie in it and behind it."""

    offset: int
    commits: int


def damage(path: Path) -> Damage | None:
    """What of a log cannot be read, though it was committed; None where nothing is missing. Raises OSError."""
    if not path.exists():
        return None
    with path.open("rb") as file:
        header = file.read(_HEADER)
        if len(header) < _HEADER:
            return None
        magic, _, size, _, salt, pepper, *_ = struct.unpack(">8I", header)
        order = ">" if magic & 1 else "<"
        sums = _summed(header[:24], order, (0, 0))
        if magic & ~1 != _MAGIC or sums != struct.unpack(">2I", header[24:]):
            return None  # SQLite begins a new one: a header is written and synced before any frame
        offset, first, commits, most = _HEADER, None, 0, 0
        while len(frame := file.read(_FRAME + size)) == _FRAME + size:
            _, pages, *salts, one, two = struct.unpack(">6I", frame[:_FRAME])
            if salts != [salt, pepper]:
                break  # of an earlier round of the log
            sums = _summed(frame[_FRAME:], order, _summed(frame[:8], order, sums))
            if sums != (one, two):
                # Frames that follow each other without such a break were written one after the other.
                first, commits, sums = offset if first is None else first, 0, (one, two)
            commits += first is not None and pages > 0
            most = max(most, commits)
            offset += len(frame)
    return Damage(first, most) if first is not None and most > 1 else None


def _summed(data: bytes, order: str, sums: Sums) -> Sums:
    one, two = sums
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for even, odd in zip(words[::2], words[1::2], strict=True):
        one = (one + even + two) & 0xFFFFFFFF
        two = (two + odd + one) & 0xFFFFFFFF
    return one, two
