"""`GET /v1/subscribers/{id}/audit`: who changed a subscriber, and what; never a secret."""

import httpx2 as httpx
import pytest

from ledger.clock import rfc3339

from .stage import API_KEY, BASE, SECRET, Stage, problem

pytestmark = pytest.mark.anyio


async def test_every_change_names_who_made_it(both: Stage) -> None:
    made = await both.subscribe(secret=SECRET, schedule=["0s", "5m"], headers={"x-key": "hush-hush"})
    path = f"/v1/subscribers/{made['id']}"
    transport = httpx.ASGITransport(both.app, client=("2001:db8::7", 4711))
    key = {"authorization": f"Bearer {API_KEY}"}
    async with httpx.AsyncClient(transport=transport, base_url=BASE, headers=key) as elsewhere:
        await elsewhere.patch(path, json={"enabled": False, "schedule": None})
    both.clock.advance(1_000)
    rotated = (await both.client.post(f"{path}/rotate-secret")).json()["secret"]
    await both.client.delete(path)
    told = await both.get(f"{path}/audit")
    assert told["next_cursor"] is None
    deleted, rotation, disabled, created = told["data"]
    assert set(deleted) == {"at", "actor", "action", "changes"}
    assert [one["action"] for one in told["data"]] == ["deleted", "changed", "changed", "created"]
    here = "api key from 127.0.0.1"
    assert [one["actor"] for one in told["data"]] == [here, here, "api key from 2001:db8::7", here]
    assert (created["at"], deleted["at"]) == (rfc3339(both.clock() - 1_000), rfc3339(both.clock()))
    assert created["changes"]["schedule"] == {"from": None, "to": ["0s", "5m"]}
    assert created["changes"]["headers"] == {"from": None, "to": ["x-key"]}
    assert disabled["changes"] == {
        "enabled": {"from": True, "to": False},
        "disabled_reason": {"from": None, "to": "disabled by hand"},
        "schedule": {"from": ["0s", "5m"], "to": None},
        "unsent_since": {"from": None, "to": rfc3339(both.clock() - 1_000)},
    }
    assert rotation["changes"] == {"secret": {"from": "…", "to": "…"}}
    for secret in (SECRET, rotated, "hush-hush", "sealed", "gAAAA"):
        assert secret not in str(told)


async def test_it_is_paged(both: Stage) -> None:
    made = await both.subscribe()
    path = f"/v1/subscribers/{made['id']}"
    for number in range(4):
        await both.client.patch(path, json={"description": str(number)})
    seen, cursor = [], None
    for _ in range(3):
        page = await both.get(f"{path}/audit", limit=2, **({"cursor": cursor} if cursor else {}))
        seen += [one["changes"]["description"]["to"] for one in page["data"] if one["action"] == "changed"]
        cursor = page["next_cursor"]
    assert (seen, cursor) == (["3", "2", "1", "0"], None)
    for bad in ("x", "-1", "1" * 19, "", "٣"):
        problem(await both.client.get(f"{path}/audit", params={"cursor": bad}), 400, "bad-cursor")
    assert (await both.get(f"{path}/audit", cursor="0"))["data"] == []
