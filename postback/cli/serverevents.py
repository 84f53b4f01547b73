"""Reading server-sent events (HTML Living Standard, "Interpreting an event stream")."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event. Without `data` it only says how far the stream has come: `id` is where to go on."""

    id: str
    type: str
    data: str


def read(chunks: Iterable[bytes]) -> Iterator[ServerEvent]:
    """The events in the body of an answer, each as soon as it is complete; one that is cut off is none."""
    id, fields = "", {"event": "", "data": ""}
    for line in _lines(chunks):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if line == "":
            yield ServerEvent(id, fields["event"] or "message", fields["data"].removesuffix("\n"))
            fields = {"event": "", "data": ""}
        elif name == "data":
            fields["data"] += value + "\n"
        elif name == "event":
            fields["event"] = value
        elif name == "id" and "\0" not in value:
            id = value


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Lines end with LF, CR LF or CR and nothing else; the last is left out unless it ends."""
    rest = b""
    for chunk in chunks:
        rest += chunk
        if b"\n" not in chunk and b"\r" not in chunk:
            continue
        lines = rest.splitlines(keepends=True)
        # A CR at the end may be the first half of a CR LF.
        rest = b"" if lines[-1].endswith(b"\n") else lines.pop()
        for line in lines:
            yield line.rstrip(b"\r\n").decode("utf-8", "replace")
