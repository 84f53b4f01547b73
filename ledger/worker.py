"""Runs transactions for the process that owns a SQLite file: `python -m ledger.worker PATH`.

Calls come in on standard input. Those that are there go into one transaction, and are answered together on standard
output after its commit. What fails leaves nothing behind, and the owner does it again itself. It ends with its owner.
"""

import os
import pickle
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from select import select
from typing import BinaryIO

from sqlalchemy import Connection, Engine

from ledger import garbage, onward, polls, submissions  # noqa: F401 - what is sent here, so that no call waits for it
from ledger.call import FAILED, READY, Message
from ledger.frames import Frames, framed
from ledger.ids import Ids
from ledger.pragmas import writing_engine

_PIECE = 1 << 20


def main(path: Path, calls: int, answers: BinaryIO) -> None:
    """Answers calls until there are no more."""
    engine = writing_engine(path)
    ids = Ids()
    with engine.connect():
        _send(answers, READY)
    garbage.look_seldom()
    for messages in _together(calls):
        _send(answers, pickle.dumps(_answer_all(engine, ids, messages)))


def _together(calls: int) -> Iterator[list[bytes]]:
    """All calls that are there, time after time. `calls` is a file descriptor."""
    frames = Frames()
    waiting: list[bytes] = []
    while data := os.read(calls, _PIECE):
        waiting += frames.feed(data)
        if waiting and not select([calls], [], [], 0)[0]:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def _answer_all(engine: Engine, ids: Ids, messages: Sequence[bytes]) -> list[bytes]:
    try:
        with engine.begin() as connection:
            return [_answer(connection, ids, message) for message in messages]
    except Exception:
        if len(messages) == 1:
            return [FAILED]
    return [answer for message in messages for answer in _answer_all(engine, ids, [message])]


def _answer(connection: Connection, ids: Ids, message: bytes) -> bytes:
    call: Message = pickle.loads(message)  # noqa: S301 - nobody but our owner holds the other end
    return pickle.dumps(call.run(connection, ids), pickle.HIGHEST_PROTOCOL)


def _send(answers: BinaryIO, answer: bytes) -> None:
    answers.write(framed(answer))
    answers.flush()


def _end_with_owner() -> None:
    """A transaction that nobody waits for must not hold the file when the next owner comes."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def run() -> None:
    """The program."""
    # A terminal and a service manager tell all processes of a group; this one ends when its owner has no more calls.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _end_with_owner()
    main(Path(sys.argv[1]), sys.stdin.fileno(), sys.stdout.buffer)


if __name__ == "__main__":
    run()
