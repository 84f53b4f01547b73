"""Messages between two processes over pipes: their length in four bytes, and then they."""

from struct import Struct

LENGTH = Struct("!I")


def framed(message: bytes) -> bytes:
    """A message as it is sent."""
    return LENGTH.pack(len(message)) + message


class Frames:
    """Makes messages of what is received, however it was cut on the way."""

    def __init__(self) -> None:
        self._received = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that are complete now."""
        received = self._received
        received += data
        messages: list[bytes] = []
        start = 0
        while len(received) >= start + LENGTH.size:
            (length,) = LENGTH.unpack_from(received, start)
            end = start + LENGTH.size + length
            if len(received) < end:
                break
            messages.append(bytes(received[start + LENGTH.size : end]))
            start = end
        del received[:start]
        return messages
