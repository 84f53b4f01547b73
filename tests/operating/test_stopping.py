"""SIGTERM under load: nothing is lost or doubled, no lease is left that delays the next start; twice: at once."""

import asyncio
import signal
import time
from pathlib import Path

import pytest
from builders import owe
from e2e.eventually import eventually
from e2e.scene import opened
from e2e.server import unexpected
from e2e.wire import Reply, Stage

from postback.serve import TWICE_SECONDS
from tests.api.stage import served, settings

from .asking import leased

JOBS = 60
SLOW = 1.5
"""Seconds that a subscriber takes for an answer, so that much is under way at any moment."""

DEADLINE = 30
"""Seconds that a stop may take: what Kubernetes gives, and three times what Docker does unless it is told."""


@pytest.mark.anyio
async def test_from_the_signal_on_nothing_is_claimed_and_requests_are_answered(
    anyio_backend: str, tmp_path: Path, database_url: str
) -> None:
    async with served(settings(tmp_path, database_url), frozenset({"api", "receiver", "forwarder"})) as stage:
        listener = await stage.listener()
        stage.house.hush()
        loops = [runner._loop for runner in stage.house._runners.values() if runner._loop is not None]
        await asyncio.wait(loops)
        await owe(stage.ledger, listener)
        stage.house.wake("forwarder")
        assert all(loop.done() for loop in loops), "no loop begins again"
        await stage.submit()
        assert [one["status"] for one in (await stage.get("/v1/deliveries"))["data"]] == ["pending"]


def test_what_is_under_way_comes_to_its_end(wires: Stage, tmp_path: Path, database_url: str) -> None:
    with opened(wires, tmp_path, database_url, latency=0.5, POSTBACK_DELIVERY_TIMEOUT="10s") as house:
        hook = house.subscribe(events=["job.succeeded"], max_in_flight=20)
        house.listener.replies[hook.path] = [Reply(204, delay=SLOW)] * (2 * JOBS)
        models = ("flux-schnell", "flux-kontext-pro")
        jobs = [house.api.submit(models[number % 2], f"job {number}")["id"] for number in range(JOBS)]
        eventually(lambda: len(hook.listener.at(hook.path)) >= 10)
        code, seconds = house.server.stop()
        assert code == 0
        assert seconds < DEADLINE
        assert leased(database_url) == [], "whoever starts next waits for nothing"
        house.server.start()
        for job_id in jobs:
            hook.notified(job_id, "job.succeeded", 60)
        told = [hook.events(job_id) for job_id in jobs]
        assert told == [["job.succeeded"]] * JOBS, "each once"
        assert {job["status"] for job in house.api.all("/jobs")} == {"succeeded"}
        assert unexpected(house.server.log) == []


@pytest.mark.parametrize(("again", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_second_signal_ends_it_at_once(
    wires: Stage, tmp_path: Path, sqlite_url: str, again: signal.Signals, code: int
) -> None:
    with opened(wires, tmp_path, sqlite_url, latency=15) as house:
        job = house.api.submit("flux-kontext-pro", "slow")
        eventually(lambda: house.acedata.submitted)
        process = house.server._process
        assert process is not None
        process.send_signal(signal.SIGTERM)
        # It takes no more, and waits for what it has sent.
        eventually(lambda: "Shutting down" in house.server.log or not _answers(house.server.port))
        assert process.poll() is None
        # Sooner it would be taken for the first one, come twice.
        time.sleep(TWICE_SECONDS)
        began = time.monotonic()
        process.send_signal(again)
        assert process.wait(10) == code
        assert time.monotonic() - began < 5
        assert "Traceback" not in house.server.log
        assert "Ended at once" in house.server.log
        house.server.start()
        # It may have been taken, so it is not sent again.
        eventually(lambda: house.api("GET", f"/jobs/{job['id']}")["status"] == "unconfirmed")
        assert len(house.acedata.submitted) == 1


def _answers(port: int) -> bool:
    import socket

    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
