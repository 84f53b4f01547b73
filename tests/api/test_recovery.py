"""`POST /v1/subscribers/{id}/recover`: a window of time is sent again, paced, and nothing twice."""

from typing import Any

import pytest
from builders import claimed, done

from ledger import recovery
from ledger.clock import rfc3339
from ledger.filters import matches

from .stage import Stage, problem
from .test_deliveries import owe, tried

pytestmark = pytest.mark.anyio

EVER = "2023-01-01T00:00:00Z"


async def recovered(stage: Stage, subscriber_id: str, **body: Any) -> tuple[int, int]:
    answer = await stage.client.post(f"/v1/subscribers/{subscriber_id}/recover", json={"since": EVER} | body)
    assert answer.status_code == 202, answer.text
    found = answer.json()
    assert set(found) == {"recovered", "replayed", "last_due_at", "dry_run"}
    assert (found["last_due_at"] is None) is (found["dry_run"] or not found["recovered"] + found["replayed"])
    assert found["dry_run"] is bool(body.get("dry_run"))
    return found["recovered"], found["replayed"]


async def due(stage: Stage, subscriber_id: str) -> list[int]:
    """When each pending delivery is due, in milliseconds from now, the soonest first."""
    page = await stage.get("/v1/deliveries", subscriber_id=subscriber_id, status="pending", limit=250)
    times = sorted(one["next_attempt_at"] for one in page["data"])
    known = {rfc3339(stage.clock() + after): after for after in range(0, 20_001, 50)}
    return [known[time] for time in times]


async def test_a_window_is_recovered(both: Stage) -> None:
    listener = await both.listener()
    made = []
    for number, status in enumerate(("dead", "delivered", "dead", "dead")):
        both.clock.advance(1_000)
        made.append(await owe(both, f"task-{number}"))
        await tried(both, status, status_code=200)
    pending_one = await owe(both, "task-9")
    start = both.clock() - 3_000

    windows: list[tuple[dict[str, Any], int]] = [
        ({"since": rfc3339(both.clock() + 1)}, 0),
        ({"since": rfc3339(start), "until": rfc3339(start)}, 0),
        ({"since": rfc3339(start), "until": rfc3339(start + 1)}, 1),
        ({"since": rfc3339(start), "statuses": ["delivered"]}, 1),
        ({"since": rfc3339(start), "statuses": ["skipped"]}, 0),
        ({"since": rfc3339(start)}, 2),
        ({"since": rfc3339(start), "until": None, "statuses": None}, 0),
    ]
    for window, count in windows:
        if count:
            assert await recovered(both, listener, **window, dry_run=True) == (count, 0), window
        assert await recovered(both, listener, **window) == (count, 0), window
    assert await both.ids("/v1/deliveries", status="pending") == [pending_one, *made[::-1]]
    both.clock.advance(1_000)
    await tried(both, "delivered", status_code=200)
    assert (await both.get(f"/v1/deliveries/{made[0]}"))["attempts"][1]["trigger"] == "recover"
    assert (await both.get(f"/v1/deliveries/{pending_one}"))["attempts"][0]["trigger"] == "schedule"


@pytest.mark.parametrize("part", [1, 2, 1_000])
async def test_it_goes_part_by_part_at_one_pace(both: Stage, monkeypatch: pytest.MonkeyPatch, part: int) -> None:
    monkeypatch.setattr(recovery, "PART", part)
    early = await both.listener()
    for _ in range(3):
        await done(both.ledger)
    await tried(both, "dead", status_code=500)
    late = await both.listener(rate_limit=5.0)
    assert await recovered(both, late, replay_missing=True, dry_run=True) == (0, 3)
    assert await both.ids("/v1/deliveries", subscriber_id=late) == []
    assert await recovered(both, late) == (0, 0)
    assert await recovered(both, late, replay_missing=True) == (0, 3)
    assert await due(both, late) == [0, 200, 400]
    assert await recovered(both, late, replay_missing=True) == (0, 0)
    assert await recovered(both, early, replay_missing=True, rate=20) == (3, 0)
    assert await due(both, early) == [0, 50, 100]


async def test_what_was_filtered_out_goes_on_with_the_pace(both: Stage) -> None:
    listener = await both.listener(filter={"model": "flux-dev"})
    await done(both.ledger, model="flux-dev")
    await tried(both, "dead", status_code=500)
    missed = await done(both.ledger)
    assert not matches({"model": "flux-dev"}, missed)
    assert await recovered(both, listener, replay_missing=True, dry_run=True) == (1, 0)
    await both.client.patch(f"/v1/subscribers/{listener}", json={"filter": None})
    assert await recovered(both, listener, replay_missing=True, dry_run=True) == (1, 1)
    assert await recovered(both, listener, replay_missing=True) == (1, 1)
    assert await due(both, listener) == [0, 100]


async def test_what_was_skipped_while_disabled_is_recovered_after(both: Stage) -> None:
    listener = await both.listener()
    path = f"/v1/subscribers/{listener}"
    await both.client.patch(path, json={"enabled": False})
    since = rfc3339(both.clock())
    await done(both.ledger)
    assert await recovered(both, listener, since=since, dry_run=True) == (1, 0)
    problem(await both.client.post(f"{path}/recover", json={"since": since}), 409, "conflict")
    await both.client.patch(path, json={"enabled": True})
    assert (await claimed(both.ledger)).rows == []
    assert await recovered(both, listener, since=since) == (1, 0)
    assert len((await claimed(both.ledger)).rows) == 1


async def test_a_bad_window_is_422(stage: Stage) -> None:
    path = f"/v1/subscribers/{await stage.listener()}/recover"
    good = "2026-01-31T12:00:00Z"
    bad: list[tuple[dict[str, Any], str]] = [
        ({}, "/since"),
        ({"since": None}, "/since"),
        ({"since": "yesterday"}, "/since"),
        ({"since": "2026-01-31"}, "/since"),
        ({"since": 1_700_000_000}, "/since"),
        ({"since": good, "until": "later"}, "/until"),
        ({"since": good, "until": "2026-01-31T11:59:59Z"}, "/until"),
        ({"since": good, "statuses": ["pending"]}, "/statuses/0"),
        ({"since": good, "statuses": []}, "/statuses"),
        ({"since": good, "dry_run": "yes"}, "/dry_run"),
        ({"since": good, "replay_missing": 1}, "/replay_missing"),
        ({"since": good, "rate": 0}, "/rate"),
        ({"since": good, "rate": "5"}, "/rate"),
        ({"since": good, "job_id": "job_1"}, "/job_id"),
    ]
    for window, pointer in bad:
        document = problem(await stage.client.post(path, json=window), 422, "invalid")
        assert document["errors"][0]["pointer"] == pointer, window
