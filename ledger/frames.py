"""Messages between two processes over pipes: their length in four bytes, and then they."""

from struct import Struct

LENGTH = Struct("!I")


def framed(message: bytes) -> bytes:
    """A message as it is sent."""
    return LENGTH.pack(len(message)) + message
