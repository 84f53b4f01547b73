"""What a person can do with a job: cancel, resubmit and erase it, each only where its state allows."""

from pathlib import Path

import httpx2 as httpx
import pytest
from builders import count, pending

from dispatcher.client import ProviderClient
from ledger import schema
from ledger.lifecycle import DELETABLE_JOB, JOB, RESUBMITTABLE_JOB
from providers import PROVIDERS
from providers.protocol import Account

from .stage import Stage, finished, problem
from .states import MAKE

pytestmark = pytest.mark.anyio


def test_every_state_is_made() -> None:
    assert set(MAKE) == set(JOB)


async def test_a_job_is_canceled_only_while_it_is_queued_or_waits_at_its_provider(stage: Stage) -> None:
    for status, make in MAKE.items():
        job = await make(stage.ledger)
        answer = await stage.client.post(f"/v1/jobs/{job.id}/cancel")
        if status in ("queued", "canceled"):
            assert answer.status_code == 200, status
            assert answer.json()["status"] == "canceled"
            assert answer.json()["finished_at"] is not None
        else:
            document = problem(answer, 409, "conflict")
            assert status in document["detail"] or "No key" in document["detail"]
            assert (await stage.get(f"/v1/jobs/{job.id}"))["status"] == status


async def test_canceling_notifies_once(stage: Stage) -> None:
    await stage.listener()
    job = await stage.submit()
    for _ in range(3):
        assert (await stage.client.post(f"/v1/jobs/{job['id']}/cancel")).status_code == 200
    told = (await stage.get("/v1/notifications"))["data"]
    assert [(one["type"], one["data"]["status"], one["data"]["sequence"]) for one in told] == [
        ("job.canceled", "canceled", 1)
    ]
    assert len(await stage.ids("/v1/deliveries")) == 1


@pytest.mark.parametrize(("status", "body"), [(200, {"request_id": "r"}), (400, {"code": "UnsupportedOperation"})])
async def test_a_waiting_job_is_canceled_where_its_provider_agrees(stage: Stage, status: int, body: object) -> None:
    asked: list[str] = []

    def provider(request: httpx.Request) -> httpx.Response:
        asked.append(f"{request.method} {request.url.path}")
        return httpx.Response(status, json=body)

    account = Account("http://provider.test/api/v1", "key")
    client = ProviderClient(PROVIDERS["dashscope"], account, stage.house.tokens.blank, httpx.MockTransport(provider))
    stage.house.clients = {"dashscope": client}
    job = await pending(stage.ledger, "task-7")
    async with client:
        answer = await stage.client.post(f"/v1/jobs/{job.id}/cancel")
    assert asked == ["POST /api/v1/tasks/task-7/cancel"]
    if status == 200:
        assert answer.json()["status"] == "canceled"
    else:
        assert "UnsupportedOperation" in problem(answer, 409, "conflict")["detail"]
        assert (await stage.get(f"/v1/jobs/{job.id}"))["status"] == "pending"


async def test_only_what_ended_badly_or_unclearly_is_resubmitted(stage: Stage) -> None:
    for status, make in MAKE.items():
        job = await make(stage.ledger)
        answer = await stage.client.post(f"/v1/jobs/{job.id}/resubmit")
        if status not in RESUBMITTABLE_JOB:
            assert status in problem(answer, 409, "conflict")["detail"]
            continue
        assert answer.status_code == 202
        again = answer.json()
        assert answer.headers["location"] == f"/v1/jobs/{again['id']}"
        assert (again["status"], again["resubmit_of"], again["task_id"]) == ("queued", job.id, None)
        same = ("provider", "model", "input", "parameters", "metadata")
        old = await stage.get(f"/v1/jobs/{job.id}")
        assert [again[name] for name in same] == [old[name] for name in same]
        assert old["status"] == status


async def test_only_a_finished_job_is_erased_and_nothing_of_it_stays(both: Stage) -> None:
    await both.listener(events=["*"])
    for status, make in MAKE.items():
        job = await make(both.ledger)
        if status == "lost":
            assert (await both.calls_back(job, b"nonsense")).status_code == 400
        answer = await both.client.delete(f"/v1/jobs/{job.id}")
        if status not in DELETABLE_JOB:
            assert status in problem(answer, 409, "conflict")["detail"]
            continue
        assert (answer.status_code, answer.content) == (204, b"")
        problem(await both.client.get(f"/v1/jobs/{job.id}"), 404, "not-found")
        problem(await both.client.delete(f"/v1/jobs/{job.id}"), 404, "not-found")
        for path in ("/v1/callbacks", "/v1/notifications", "/v1/deliveries"):
            assert await both.ids(path, job_id=job.id) == [], (status, path)
    kept = len(set(MAKE) - set(DELETABLE_JOB))
    assert await count(both.ledger, schema.jobs) == kept
    assert await count(both.ledger, schema.attempts) == 0


async def test_the_callback_url_is_shown_nowhere(stage: Stage, tmp_path: Path) -> None:
    job = await stage.submit()
    path = stage.callback_path(job["id"])
    token = path.rpartition("/")[2]
    echo = finished() | {"callback_url": f"http://postback.test{path}"}
    assert (await stage.calls_back(job["id"], echo, referer=path)).status_code == 200
    for listed in ("/v1/jobs", "/v1/callbacks", "/v1/notifications"):
        for one in await stage.ids(listed):
            assert token not in (await stage.client.get(f"{listed}/{one}")).text
    assert token not in (await stage.client.get(f"/v1/jobs/{job['id']}/timeline")).text
    files = b"".join(file.read_bytes() for file in tmp_path.iterdir() if file.is_file())
    assert token.encode() not in files
