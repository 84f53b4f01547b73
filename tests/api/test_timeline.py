"""A job's timeline: everything that happened to it, oldest first."""

import pytest
from builders import calls_back, failed, submitting, succeeded, taken, unfinished

from ledger import polls
from ledger.clock import rfc3339

from .stage import Stage
from .test_deliveries import tried

pytestmark = pytest.mark.anyio


async def test_the_whole_story_in_its_order(both: Stage) -> None:
    listener = await both.listener()
    job = await submitting(both.ledger)
    path = f"/v1/jobs/{job.id}/timeline"
    both.clock.advance(100)
    assert await taken(both.ledger, job, "task-1")
    both.clock.advance(100)
    await calls_back(both.ledger, job, unfinished())
    both.clock.advance(100)
    await calls_back(both.ledger, job, succeeded(), succeeded(), failed(), None)
    [delivery] = await both.ids("/v1/deliveries")
    both.clock.advance(100)
    await tried(both, "pending", both.clock() + 5_000, status_code=500, error_class="status", error="it broke")
    story = (await both.get(path))["data"]
    assert [one["type"] for one in story] == [
        *("created", "submitted", "callback", "callback", "callback", "callback", "callback"),
        *("notification", "delivery", "attempt", "next_attempt"),
    ]
    both.clock.advance(5_000)
    await tried(both, "delivered", status_code=200)

    document = await both.get(path)
    assert set(document) == {"data"}
    story = document["data"]
    assert [one["type"] for one in story] == [
        *("created", "submitted", "callback", "callback", "callback", "callback", "callback"),
        *("notification", "delivery", "attempt", "attempt", "delivered"),
    ]
    assert [one["at"] for one in story] == sorted(one["at"] for one in story)
    assert all({"at", "type", "summary"} <= set(one) and one["summary"] for one in story)
    assert story[0]["at"] == rfc3339(job.created_at)
    assert "task-1" in story[1]["summary"]
    verdicts = [one["verdict"] for one in story if one["type"] == "callback"]
    assert verdicts == ["progress", "accepted", "duplicate", "conflicting", "invalid"]
    for one in story:
        assert {one[name] for name in one if name == "delivery_id"} <= {delivery}
        assert {one[name] for name in one if name == "subscriber_id"} <= {listener}
        if one["type"] == "callback":
            await both.get(f"/v1/callbacks/{one['callback_id']}")
        if one["type"] == "notification":
            await both.get(f"/v1/notifications/{one['notification_id']}")
    assert [one["summary"].split(":")[0] for one in story if one["type"] == "attempt"] == [
        *("attempt 1 (schedule)", "attempt 2 (schedule)"),
    ]


async def test_what_a_person_did_is_told(stage: Stage) -> None:
    canceled = await stage.submit()
    await stage.client.post(f"/v1/jobs/{canceled['id']}/cancel")
    assert [one["type"] for one in (await stage.get(f"/v1/jobs/{canceled['id']}/timeline"))["data"]] == [
        *("created", "canceled", "notification"),
    ]
    job = await submitting(stage.ledger)
    assert await taken(stage.ledger, job)
    asked = polls.Asked(job.id, job.lease, None, lost="nobody knows it")
    assert await stage.ledger.write(polls.settle, [asked]) == [True]
    again = (await stage.client.post(f"/v1/jobs/{job.id}/resubmit")).json()
    old = (await stage.get(f"/v1/jobs/{job.id}/timeline"))["data"]
    assert [one["type"] for one in old] == ["created", "submitted", "lost", "resubmitted", "notification"]
    assert again["id"] in old[3]["summary"]
    new = (await stage.get(f"/v1/jobs/{again['id']}/timeline"))["data"]
    assert job.id in new[0]["summary"]


async def test_many_copies_are_counted(stage: Stage) -> None:
    job = await submitting(stage.ledger)
    await calls_back(stage.ledger, job, *[succeeded()] * 31)
    story = (await stage.get(f"/v1/jobs/{job.id}/timeline"))["data"]
    copies = [one["summary"] for one in story if one.get("verdict") == "duplicate"]
    assert len(copies) == 10
    assert all("30" in summary for summary in copies)
