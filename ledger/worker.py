"""Runs transactions for the process that owns a SQLite file: `python -m ledger.worker PATH`.

Calls come in on standard input, one after the other, and each is answered on standard output after its commit. What
fails leaves nothing behind, and the owner does it again itself. It ends with its owner.
"""

import gc
import pickle
import signal
import sys
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import Engine

from ledger.call import Message
from ledger.frames import LENGTH, framed
from ledger.ids import Ids
from ledger.pragmas import writing_engine

READY = b"ready"
FAILED = b""
"""In place of an answer: nothing was kept."""


def main(path: Path, calls: BinaryIO, answers: BinaryIO) -> None:
    """Answers calls until there are no more."""
    engine = writing_engine(path)
    ids = Ids()
    with engine.connect():
        _send(answers, READY)
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)  # as in the owner
    while head := calls.read(LENGTH.size):
        (length,) = LENGTH.unpack(head)
        _send(answers, _answer(engine, ids, calls.read(length)))


def _answer(engine: Engine, ids: Ids, message: bytes) -> bytes:
    try:
        call: Message = pickle.loads(message)  # noqa: S301 - nobody but our owner holds the other end
        with engine.begin() as connection:
            answer = pickle.dumps(call.run(connection, ids), pickle.HIGHEST_PROTOCOL)
    except Exception:
        return FAILED
    return answer


def _send(answers: BinaryIO, answer: bytes) -> None:
    answers.write(framed(answer))
    answers.flush()


def _end_with_owner() -> None:
    """A transaction that nobody waits for must not hold the file when the next owner comes."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


if __name__ == "__main__":
    # A terminal and a service manager tell all processes of a group; this one ends when its owner has no more calls.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _end_with_owner()
    main(Path(sys.argv[1]), sys.stdin.buffer, sys.stdout.buffer)
