"""A bug that nobody finds by chance: four bytes in a row, of which each is another branch."""

from collections.abc import Iterable


def seeds() -> Iterable[bytes]:
    """Nothing to copy from."""
    return [b"-"]


def judge(data: bytes) -> None:
    """Raises for `OPEN`."""
    if data[:1] != b"O":
        return
    if data[1:2] != b"P":
        return
    if data[2:3] != b"E":
        return
    if data[3:4] != b"N":
        return
    raise AssertionError("the door is open")
