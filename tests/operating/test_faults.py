"""Rows 45 and 46: the disk is full, or somebody else holds the database, under a real process with load on it.

It answers 503 and when to come back, recovers by itself, and has exactly what it acknowledged.
"""

import resource
import sqlite3
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import httpx2 as httpx
import pytest
from e2e.eventually import eventually
from e2e.scene import Scene, opened
from e2e.server import unexpected
from e2e.wire import Stage

CLIENTS = 4
CALM: dict[str, object] = {"POSTBACK_DASHSCOPE_SUBMIT_RATE": 0.01}


@dataclass
class Customers:
    """Submit jobs until they are told to stop, and keep count of what they were answered."""

    house: Scene
    acknowledged: set[str] = field(default_factory=set)
    refused: list[httpx.Response] = field(default_factory=list)
    enough: Event = field(default_factory=Event)

    def submit(self, number: int) -> None:
        count = 0
        headers = {"authorization": f"Bearer {self.house.server.key}"}
        with httpx.Client(base_url=self.house.server.url, headers=headers, timeout=30, trust_env=False) as http:
            while not self.enough.is_set():
                name = f"{number}-{count}"
                order = {
                    "model": "flux-schnell",
                    "input": {"prompt": "p"},
                    "metadata": {"name": name, "big": "x" * 999},
                }
                answer = http.post("/v1/jobs", json=order)
                if answer.status_code == 202:
                    self.acknowledged.add(name)
                else:
                    self.refused.append(answer)
                    self.enough.wait(0.05)
                count += 1


def through(house: Scene, begin: Callable[[], None], end: Callable[[], None], refusals: int) -> None:
    """A fault that begins and ends in the middle of load."""
    customers = Customers(house)
    with ThreadPoolExecutor(CLIENTS) as pool:
        working = [pool.submit(customers.submit, number) for number in range(CLIENTS)]
        try:
            eventually(lambda: len(customers.acknowledged) >= 40)
            begin()
            try:
                eventually(lambda: len(customers.refused) >= refusals, 60)
                ready = eventually(lambda: _unready(house), 30)
                assert house.api.http.get("/healthz").status_code == 200
            finally:
                end()
            eventually(lambda: house.api.http.get("/readyz").status_code == 200, 30)
            before = len(customers.acknowledged)
            eventually(lambda: len(customers.acknowledged) >= before + 40, 30)
        finally:
            customers.enough.set()
        for one in working:
            one.result()
    for answer in [*customers.refused, ready]:
        assert answer.status_code == 503, answer.text
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.json()["type"] == "urn:postback:problem:unavailable"
    assert {job["metadata"]["name"] for job in house.api.all("/jobs")} == customers.acknowledged
    assert "Traceback" not in house.server.log
    assert unexpected(house.server.log) == []


def _unready(house: Scene) -> httpx.Response | None:
    answer = house.api.http.get("/readyz")
    return answer if answer.status_code != 200 else None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux changes the limits of a running process")
def test_a_disk_that_is_full(wires: Stage, tmp_path: Path, sqlite_url: str) -> None:
    with opened(wires, tmp_path, sqlite_url, **CALM) as house:
        process = house.server._process
        assert process is not None

        def limit(size: int) -> None:
            # Harder than a full disk: nothing is written any more, neither to the database nor to the log.
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

        through(house, lambda: limit(0), lambda: limit(resource.RLIM_INFINITY), refusals=20)
        # What wanted to say so goes on, although nobody could hear it.
        hook = house.subscribe()
        hook.notified(house.api.submit("flux-kontext-pro", "afterwards")["id"], "job.succeeded")
        assert house.server.stop()[0] == 0


def test_a_database_that_somebody_else_holds(wires: Stage, tmp_path: Path, sqlite_url: str) -> None:
    path = tmp_path / "postback.sqlite3"
    with opened(wires, tmp_path, sqlite_url, **CALM) as house:
        with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as foreign:
            # Each write gives up after 5 s, and all that waited with it: several rounds of that.
            through(
                house,
                lambda: foreign.execute("BEGIN IMMEDIATE").close(),
                lambda: foreign.execute("ROLLBACK").close(),
                refusals=CLIENTS + 1,
            )
