"""Messages come whole, however they were cut on the way."""

import pytest

from ledger.frames import Frames, framed

MESSAGES = [b"one", b"", b"a third that is longer"]
SENT = b"".join(map(framed, MESSAGES))


@pytest.mark.parametrize("size", [*range(1, len(SENT)), len(SENT)])
def test_messages_come_whole(size: int) -> None:
    frames = Frames()
    received = [frames.feed(SENT[start : start + size]) for start in range(0, len(SENT), size)]
    assert [message for part in received for message in part] == MESSAGES


def test_none_comes_before_its_end() -> None:
    frames = Frames()
    assert frames.feed(framed(b"one")[:-1]) == []
    assert frames.feed(b"e") == [b"one"]
