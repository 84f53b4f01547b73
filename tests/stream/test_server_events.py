"""Server-sent events, as the HTML standard says they are to be read."""

import itertools

import pytest

from postback.cli.serverevents import ServerEvent, read

STREAM = (
    b"retry: 1000\nid: 7\n\n: a comment\nid: 8.a\nevent: job.lost\ndata: {}\n\n"
    b"id:9\r\nevent:  two\r\ndata\r\ndata: x\r\n\r\ndata: \xe2\x80\xa8\x85|\x1c\rid: 1\x000\rfield: unknown\r\r"
    b"id\ndata: last\n\ndata: cut off"
)
EVENTS = [
    ServerEvent("7", "message", ""),
    ServerEvent("8.a", "job.lost", "{}"),
    ServerEvent("9", " two", "\nx"),
    ServerEvent("9", "message", "\N{LINE SEPARATOR}\N{REPLACEMENT CHARACTER}|\x1c"),
    ServerEvent("", "message", "last"),
]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 1_000])
def test_events_are_the_same_however_the_bytes_are_cut(size: int) -> None:
    chunks = [STREAM[at : at + size] for at in range(0, len(STREAM), size)]
    assert list(read(chunks)) == EVENTS


def test_an_event_is_there_as_soon_as_it_is_complete() -> None:
    chunks = itertools.chain([b"data: one\n", b"\ndata: tw"], map(pytest.fail, ["asked for more than it needs"]))
    assert next(read(chunks)) == ServerEvent("", "message", "one")


def test_nothing_is_nothing() -> None:
    assert list(read([])) == list(read([b""])) == list(read([b"data: x\n"])) == []
