"""`kill -9` during 200 jobs: none is lost, none is paid twice, and every outcome is told."""

from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import Future

import pytest
from e2e.kill_play import JOBS, LATENCY, PACES, Killed, play
from e2e.listener import verified
from e2e.plays import DATABASES, played
from e2e.server import unexpected
from e2e.wire import Stage


@pytest.fixture(scope="module")
def endings(
    request: pytest.FixtureRequest, stage: Stage, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, "Future[Killed]"]]:
    """What was left after the play, by kind of database."""
    with played(play, request, stage, tmp_path_factory.mktemp("kills"), latency=LATENCY, **PACES) as endings:
        yield endings


@pytest.fixture(params=DATABASES)
def killed(request: pytest.FixtureRequest, endings: dict[str, "Future[Killed]"]) -> Killed:
    return endings[request.param].result()


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
