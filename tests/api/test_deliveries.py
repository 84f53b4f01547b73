"""Deliveries: seen with their attempts, sent again by hand."""

from typing import Any

import pytest
from builders import calls_back, claimed, pending, succeeded

from ledger import settling
from ledger.clock import rfc3339
from ledger.deliveries import Attempt
from ledger.settling import Settlement

from .stage import Stage, problem

pytestmark = pytest.mark.anyio

DELIVERY = {
    *("id", "notification_id", "subscriber_id", "job_id", "type", "status", "attempt_count"),
    *("next_attempt_at", "last_error", "created_at", "finished_at"),
}
ATTEMPT = {
    *("id", "number", "trigger", "started_at", "duration_ms", "status_code", "error_class", "error"),
    *("response_excerpt", "request_headers", "response_headers", "timing"),
}
NOTIFICATION = {"id", "job_id", "type", "timestamp", "data", "created_at"}


async def owe(stage: Stage, task_id: str = "task-1") -> str:
    """A job that succeeds, and the id of the one delivery that it causes."""
    job = await pending(stage.ledger, task_id)
    await calls_back(stage.ledger, job, succeeded(task_id=task_id))
    [delivery] = await stage.ids("/v1/deliveries", job_id=job.id)
    return delivery


async def tried(stage: Stage, status: str, due_at: int | None = None, **attempt: Any) -> None:
    """Every delivery that is due is tried, and ends so."""
    claim = await claimed(stage.ledger)
    assert claim.rows
    made = Attempt(stage.clock(), 12, **attempt)
    settlements = [Settlement(row.id, row.lease, made, status, due_at) for row in claim.rows]
    assert all(await stage.ledger.write(settling.settle, settlements))


async def test_a_delivery_from_owed_to_delivered(both: Stage) -> None:
    listener = await both.listener()
    path = f"/v1/deliveries/{await owe(both)}"
    owed = await both.get(path)
    assert set(owed) == DELIVERY | {"attempts"}
    assert (owed["status"], owed["attempt_count"], owed["attempts"]) == ("pending", 0, [])
    assert (owed["subscriber_id"], owed["type"], owed["finished_at"]) == (listener, "job.succeeded", None)
    assert owed["next_attempt_at"] == owed["created_at"]

    await claimed(both.ledger)
    assert (await both.get(path))["status"] == "delivering"
    assert (await both.get(path))["next_attempt_at"] is None
    problem(await both.client.post(f"{path}/redeliver"), 409, "conflict")
    both.clock.advance(100_000)

    refused = {"status_code": 503, "error_class": "status", "error": "busy", "response_excerpt": "später\ufffd"}
    refused |= {"timing": {"dns": 3, "connect": 5, "tls": None, "response": 4}}
    refused |= {"request_headers": {"webhook-id": "ntf_1"}, "response_headers": {"server": "später"}}
    await tried(both, "pending", both.clock() + 5_000, **refused)
    waiting = await both.get(path)
    assert (waiting["status"], waiting["attempt_count"], waiting["last_error"]) == ("pending", 1, "busy")
    assert waiting["next_attempt_at"] == rfc3339(both.clock() + 5_000)
    [attempt] = waiting["attempts"]
    assert set(attempt) == ATTEMPT
    assert attempt["id"].startswith("att_")
    assert attempt == attempt | refused | {"number": 1, "trigger": "schedule", "duration_ms": 12}
    assert attempt["started_at"] == rfc3339(both.clock())

    both.clock.advance(5_000)
    await tried(both, "delivered", status_code=204, response_excerpt="")
    done = await both.get(path)
    assert (done["status"], done["attempt_count"], done["last_error"]) == ("delivered", 2, None)
    assert (done["next_attempt_at"], done["finished_at"]) == (None, rfc3339(both.clock()))
    assert [one["number"] for one in done.pop("attempts")] == [1, 2]
    assert (await both.get("/v1/deliveries"))["data"] == [done]


async def test_a_finished_delivery_is_sent_again_and_its_numbers_go_on(both: Stage) -> None:
    await both.listener()
    path = f"/v1/deliveries/{await owe(both)}"
    problem(await both.client.post(f"{path}/redeliver"), 409, "conflict")
    for number, status in enumerate(("dead", "delivered", "delivered"), start=1):
        await tried(both, status, status_code=200)
        both.clock.advance(1_000)
        answer = await both.client.post(f"{path}/redeliver")
        assert answer.status_code == 202
        again = answer.json()
        assert set(again) == DELIVERY
        assert (again["status"], again["attempt_count"], again["finished_at"]) == ("pending", number, None)
        assert again["next_attempt_at"] == rfc3339(both.clock())
        problem(await both.client.post(f"{path}/redeliver"), 409, "conflict")
    await tried(both, "delivered", status_code=200)
    triggers = [(one["number"], one["trigger"]) for one in (await both.get(path))["attempts"]]
    assert triggers == [(1, "schedule"), (2, "manual"), (3, "manual"), (4, "manual")]


async def test_a_notification_is_the_job_as_it_was(both: Stage) -> None:
    await both.listener(events=["*"])
    job = await pending(both.ledger)
    await calls_back(both.ledger, job, succeeded())
    shown = await both.get(f"/v1/jobs/{job.id}")
    listed = (await both.get("/v1/notifications", job_id=job.id))["data"]
    assert [(one["type"], one["data"]["sequence"]) for one in listed] == [("job.succeeded", 2), ("job.submitted", 1)]
    for one in listed:
        assert set(one) == NOTIFICATION
        assert one == await both.get(f"/v1/notifications/{one['id']}")
        assert one["timestamp"] == one["created_at"]
    assert listed[0]["data"] == shown | {"sequence": 2}
