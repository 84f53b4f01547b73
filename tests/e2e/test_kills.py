"""`kill -9` during 200 jobs: none is lost, none is paid twice, and every outcome is told."""

from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from e2e.conftest import fresh_database
from e2e.kill_play import JOBS, Killed, play
from e2e.listener import verified
from e2e.scene import opened
from e2e.server import unexpected
from e2e.wire import Stage

DATABASES = ("sqlite", "postgres")
PACES = {"POSTBACK_DASHSCOPE_SUBMIT_RATE": 12, "POSTBACK_ACEDATA_SUBMIT_RATE": 24}
"""A killed server leaves unconfirmed what it was about to send: a quarter of a second's worth."""


@pytest.fixture(scope="module")
def plays(
    request: pytest.FixtureRequest, stage: Stage, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Killed]]:
    """Both databases at once, because on PostgreSQL it is mostly waiting for leases to end."""
    with ExitStack() as stack, ThreadPoolExecutor() as side_by_side:
        playing = {}
        for kind in DATABASES:
            folder = tmp_path_factory.mktemp(f"kills-{kind}")
            url = stack.enter_context(fresh_database(kind, folder, request))
            scene = stack.enter_context(opened(stage, folder, url, latency=0.05, **PACES))
            playing[kind] = side_by_side.submit(play, scene)
        yield {kind: played.result() for kind, played in playing.items()}


@pytest.fixture(params=DATABASES)
def killed(request: pytest.FixtureRequest, plays: dict[str, Killed]) -> Killed:
    return plays[request.param]


def test_no_job_is_lost(killed: Killed) -> None:
    assert {job["id"] for job in killed.jobs} == set(killed.accepted.values())
    assert len(killed.jobs) == JOBS
    assert [job for job in killed.jobs if job["status"] not in ("succeeded", "unconfirmed")] == []
    assert sum(job["status"] == "succeeded" for job in killed.jobs) >= JOBS / 2


def test_no_job_is_paid_twice(killed: Killed) -> None:
    assert [prompt for prompt, count in killed.submissions if count > 1] == []
    sent = {prompt for prompt, _ in killed.submissions}
    assert {job["input"]["prompt"] for job in killed.jobs if job["status"] == "succeeded"} <= sent


def test_every_outcome_is_told_under_one_id(killed: Killed) -> None:
    for job in killed.jobs:
        told = defaultdict(set)
        for request in killed.hook.requests(job["id"]):
            notification = verified(request, killed.hook.document["secret"])
            told[notification["type"]].add(request.headers["webhook-id"])
            if notification["type"] == f"job.{job['status']}":
                assert notification["data"] == job | {"sequence": notification["data"]["sequence"]}
        assert f"job.{job['status']}" in told
        assert all(len(ids) == 1 for ids in told.values()), told


def test_every_delivery_arrived(killed: Killed) -> None:
    deliveries = killed.scene.api.all("/deliveries")
    assert {delivery["status"] for delivery in deliveries} == {"delivered"}
    assert len(deliveries) == len(killed.scene.api.all("/notifications"))


def test_no_error_is_logged(killed: Killed) -> None:
    assert unexpected(killed.scene.server.log) == []
