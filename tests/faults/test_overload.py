"""Row 43: requests at five times capacity. What cannot be done soon is refused at once, with when to come back; what
was acknowledged is there; the rest of the server stays usable. `scripts/bench overload` prints the figures."""

from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path

import pytest

from tests.bench.overload import lost, overload
from tests.bench.surge import generator

TIMES = 5
SECONDS = 2
WORTH = 1 / 3
"""Of what the server's time yields when it has room, how much it must yield at least: 0.7 to 1.1 with nothing else to
do, and others use this machine. Where every refusal is answered at once it yields 0.1: refusing is then all it does."""

COUNTS = {"callbacks": 100_000, "jobs": 40_000}
"""Requests of each kind: more than can be taken in that time."""

MEMORY = 200
"""MiB that it may grow by."""


@pytest.fixture
def process() -> Iterator[Executor]:
    with generator() as process:
        yield process


# Each kind once and each database once; `scripts/bench overload` takes all four.
@pytest.mark.parametrize(("kind", "database"), [("callbacks", "sqlite"), ("jobs", "postgres")])
def test_five_times_capacity_is_shed_and_what_was_acknowledged_is_kept(
    request: pytest.FixtureRequest, process: Executor, tmp_path: Path, kind: str, database: str
) -> None:
    database_url: str = request.getfixturevalue(f"{database}_url")
    with overload(kind, tmp_path, database_url, COUNTS[kind], process) as server:
        before = server.spent()
        calm = server.capacity(1)
        yielded = len(server.accepted) / (server.spent() - before)
        memory, before = server.memory(), server.spent()
        met = server.surge(TIMES * calm.goodput, SECONDS)
        worth = len(met.accepted) / (server.spent() - before) / yielded
        grown = server.memory() - memory
        again = server.capacity(1)
    print(f"goodput: {met.goodput / calm.goodput:.2f} of capacity, {worth:.2f} for the same processor time")

    good = {"callbacks": 200, "jobs": 202}[kind]
    assert set(met.statuses) == {good, 503}, "shed, and nothing else went wrong"
    assert (met.unannounced, met.cut) == (0, 0), "each refusal says when to come back, on a connection that stays"
    assert lost(kind, tmp_path, database_url, server.accepted) == set()
    assert len(set(server.accepted)) == len(server.accepted)
    assert {status for _, status, _ in server.looks} == {200}, "the rest was usable throughout"
    assert worth >= WORTH
    assert grown < MEMORY
    assert again.statuses[good] > 0, "it goes on"
