"""Under load SQLite is written by a second process. Whichever of the two is killed, what was acknowledged is there."""

import asyncio
import os
import signal
from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import pytest
from api.stage import FRONT, settings
from e2e.eventually import eventually

from ledger.apart import processors
from ledger.company import WORTH
from ledger.jobs import Draft
from ledger.ledger import Ledger
from postback.house import open_house
from tests.bench.overload import lost, overload
from tests.bench.surge import flood, generator

COUNT = 60_000
CLIENTS = 64
SECONDS = 2
AT_WORK = 0.2
"""Seconds of processor time that the second writer has used when something is killed."""


@pytest.fixture
def process() -> Iterator[Executor]:
    with generator() as process:
        yield process


@pytest.mark.skipif(processors() < 2, reason="with one processor there is no second writer")
@pytest.mark.parametrize("victim", ["the second writer", "the server"])
def test_a_kill_under_load_loses_nothing_that_was_acknowledged(
    process: Executor, tmp_path: Path, sqlite_url: str, victim: str
) -> None:
    with overload("callbacks", tmp_path, sqlite_url, COUNT, process) as server:
        server.capacity(1)
        (writer,) = server.others()
        worked = server.spent_by(writer)
        wires = [wire for _, wire in server.calls]
        going = process.submit(flood, server.port, wires, SECONDS, None, CLIENTS)
        eventually(lambda: server.spent_by(writer) > worked + AT_WORK, 20)
        os.kill(server.pid if victim == "the server" else writer, signal.SIGKILL)
        met = going.result()
        assert met.accepted
        if victim == "the server":
            assert met.cut == CLIENTS
        else:
            assert (set(met.statuses), met.cut) == ({200}, 0), "the server does it all itself"
    acknowledged = [*server.accepted, *(server.calls[number][0] for number in met.accepted)]
    assert lost("callbacks", tmp_path, sqlite_url, acknowledged) == set()
    eventually(lambda: not _lives(writer), 20)


def _lives(pid: int) -> bool:
    """Whether it runs; who has ended may wait to be asked for its status."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


@pytest.mark.anyio
async def test_new_jobs_are_recorded_by_the_server_alone(
    tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the second writer was doing when it ended is done again, committed or not: a job would be there twice."""
    house = await open_house(settings(tmp_path, sqlite_url), FRONT)
    sent: list[Any] = []
    monkeypatch.setattr(Ledger, "write_apart", lambda ledger, *given: sent.append(given))
    draft = Draft("acedata", "flux-dev", {"prompt": "a cat"}, {}, {})
    made = await asyncio.gather(*(house.recording.add(draft) for _ in range(4 * WORTH)))
    assert len({one.job.id for one in made}) == 4 * WORTH
    assert not sent
    await house.stop()
