"""What a subscriber may choose of its notifications: which jobs, how much of them, when again, and how signed."""

from typing import Any

import pytest
from builders import calls_back, done, pending, succeeded

from ledger import lanes, subscribers
from ledger.clock import DAY, rfc3339
from ledger.lane import Lane
from receiver import signing

from .stage import Stage, problem

pytestmark = pytest.mark.anyio

URL = "https://example.com/hook"
SOME_LABELS = {"tenant": "acme", "tier": [1, 2.5, True, None, "x"], "": "empty name"}

FIELDS: list[tuple[str, Any, Any]] = [
    ("filter", {}, None),
    ("filter", {"metadata": SOME_LABELS, "model": ["flux-dev", "flux-schnell"], "provider": "dashscope"}, None),
    ("filter", {"model": "flux-dev", "provider": ["dashscope", "acedata"]}, None),
    ("payload", "thin", "full"),
    ("payload", "full", "full"),
    ("schedule", ["0s", "5s", "5m"], None),
    ("schedule", ["30d"] * 50, None),
    ("schedule", ["500ms"], None),
    ("signature", "v1", "v1"),
]

BAD: list[tuple[dict[str, Any], str]] = [
    ({"filter": []}, "/filter"),
    ({"filter": "model=flux"}, "/filter"),
    ({"filter": {"size": "big"}}, "/filter/size"),
    ({"filter": {"model": []}}, "/filter/model"),
    ({"filter": {"model": None}}, "/filter/model"),
    ({"filter": {"model": 7}}, "/filter/model"),
    ({"filter": {"model": ["flux", 7]}}, "/filter/model"),
    ({"filter": {"model": {"name": "flux"}}}, "/filter/model"),
    ({"filter": {"model": ["flux"] * 101}}, "/filter/model"),
    ({"filter": {"provider": "dashcope"}}, "/filter/provider"),
    ({"filter": {"provider": []}}, "/filter/provider"),
    ({"filter": {"provider": None}}, "/filter/provider"),
    ({"filter": {"metadata": None}}, "/filter/metadata"),
    ({"filter": {"metadata": ["tenant"]}}, "/filter/metadata"),
    ({"filter": {"metadata": {"tenant": []}}}, "/filter/metadata/tenant"),
    ({"filter": {"metadata": {"ten/ant": {"is": "acme"}}}}, "/filter/metadata/ten~1ant"),
    ({"filter": {"metadata": {"tenant": [["acme"]]}}}, "/filter/metadata/tenant"),
    ({"filter": {"metadata": {str(n): n for n in range(51)}}}, "/filter/metadata"),
    ({"payload": "thick"}, "/payload"),
    ({"payload": True}, "/payload"),
    ({"schedule": []}, "/schedule"),
    ({"schedule": "5m"}, "/schedule"),
    ({"schedule": ["0s", "soon"]}, "/schedule/1"),
    ({"schedule": ["0s", 5]}, "/schedule/1"),
    ({"schedule": ["0s", None]}, "/schedule/1"),
    ({"schedule": ["-5s"]}, "/schedule/0"),
    ({"schedule": ["31d"]}, "/schedule/0"),
    ({"schedule": ["1s"] * 51}, "/schedule"),
    ({"signature": "v2"}, "/signature"),
    ({"signature": ["v1a"]}, "/signature"),
    ({"events": ["jobs.*"]}, "/events/0"),
]


@pytest.mark.parametrize(("name", "value", "default"), FIELDS)
async def test_a_field_is_kept_shown_and_reset_by_null(both: Stage, name: str, value: Any, default: Any) -> None:
    made = await both.subscribe(**{name: value})
    path = f"/v1/subscribers/{made['id']}"
    assert made[name] == value
    assert (await both.get(path))[name] == value
    assert (await both.client.patch(path, json={name: None})).json()[name] == default
    assert (await both.client.patch(path, json={name: value})).json()[name] == value
    assert (await both.client.patch(path, json={"description": "other"})).json()[name] == value
    assert (await both.subscribe())[name] == default
    assert (await both.subscribe(**{name: None}))[name] == default


async def test_a_bad_field_is_named(stage: Stage) -> None:
    path = f"/v1/subscribers/{(await stage.subscribe())['id']}"
    before = await stage.get(path)
    for body, pointer in BAD:
        for answer in (
            await stage.client.post("/v1/subscribers", json={"url": URL} | body),
            await stage.client.patch(path, json=body),
        ):
            errors = problem(answer, 422, "invalid")["errors"]
            assert [error["pointer"] for error in errors] == [pointer], body
            assert "Value error" not in errors[0]["detail"]
    assert await stage.get(path) == before


async def test_a_schedule_is_kept_in_milliseconds(stage: Stage) -> None:
    made = await stage.subscribe(schedule=["0s", "1.5h", "24h", "1d"])
    assert made["schedule"] == ["0s", "90m", "24h", "24h"]
    row = await stage.ledger.read(subscribers.get, made["id"])
    assert row.schedule == [0, 5_400_000, DAY, DAY]


async def test_a_filter_decides_what_is_delivered(both: Stage) -> None:
    made = await both.subscribe(filter={"metadata": {"tenant": ["acme", "bree"]}, "model": "flux-schnell"})
    wanted = await done(both.ledger, metadata={"tenant": "bree"})
    await done(both.ledger, metadata={"tenant": "corp"})
    await done(both.ledger, metadata={"tenant": "acme"}, model="flux-dev")
    owed = (await both.get("/v1/deliveries", subscriber_id=made["id"]))["data"]
    assert [one["job_id"] for one in owed] == [wanted.id]


async def test_who_chooses_v1a_gets_a_public_key_and_never_the_private_one(both: Stage) -> None:
    answer = await both.client.post("/v1/subscribers", json={"url": URL, "signature": "v1a"})
    made = answer.json()
    path = f"/v1/subscribers/{made['id']}"
    assert (made["signature"], made["public_key"][:5], made["secret"][:6]) == ("v1a", "whpk_", "whsec_")
    secret, private = await live(both, made["id"])
    assert (secret, signing.public_key(private)) == (made["secret"], made["public_key"])
    same = await both.client.patch(path, json={"signature": "v1a"})
    assert same.json()["public_key"] == made["public_key"]
    rotated = await both.client.post(f"{path}/rotate-secret")
    assert rotated.json()["public_key"] != made["public_key"]
    assert len(await live(both, made["id"])) == 4
    texts = [one.text for one in (answer, same, rotated)]
    for shown in (path, f"{path}/audit", f"{path}/secret", "/v1/subscribers"):
        texts.append((await both.client.get(shown)).text)
    assert not any(private in text or "whsk_" in text for text in texts)


async def test_going_back_to_v1_forgets_the_keys_and_the_older_ones_too(both: Stage) -> None:
    made = await both.subscribe()
    path = f"/v1/subscribers/{made['id']}"
    assert (made["signature"], made["public_key"]) == ("v1", None)
    chosen = (await both.client.patch(path, json={"signature": "v1a"})).json()
    assert chosen["public_key"].startswith("whpk_")
    fresh = (await both.client.post(f"{path}/rotate-secret")).json()["secret"]
    back = (await both.client.patch(path, json={"signature": None})).json()
    assert (back["signature"], back["public_key"]) == ("v1", None)
    assert await live(both, made["id"]) == [fresh, made["secret"]]


async def test_health_is_shown_of_one_and_of_a_page(both: Stage) -> None:
    well, ill = await both.listener(), await both.listener()
    now = both.clock()
    lane = Lane(ill, failures=51, failing_since=now - DAY, paused_until=now + 30_000, probing=True)
    await both.ledger.write(lambda connection, moment: lanes.save(connection, [lane]))
    listed = {one["id"]: one["health"] for one in (await both.get("/v1/subscribers"))["data"]}
    healthy = {"state": "healthy", "consecutive_failures": 0, "failing_since": None, "paused_until": None}
    assert listed == {
        well: healthy,
        ill: {
            "state": "open",
            "consecutive_failures": 51,
            "failing_since": rfc3339(now - DAY),
            "paused_until": rfc3339(now + 30_000),
        },
    }
    path = f"/v1/subscribers/{ill}"
    assert (await both.get(path))["health"] == listed[ill]
    both.clock.advance(30_000)
    assert (await both.get(path))["health"] == listed[ill] | {"paused_until": None}
    assert (await both.client.patch(path, json={"url": "https://example.org/"})).json()["health"] == healthy


async def test_a_thin_subscriber_is_still_listed_with_the_whole_notification(stage: Stage) -> None:
    await stage.listener(payload="thin")
    job = await pending(stage.ledger)
    await calls_back(stage.ledger, job, succeeded())
    [sent] = (await stage.get("/v1/notifications"))["data"]
    assert sent["data"]["input"] == job.input


async def live(stage: Stage, subscriber_id: str) -> list[str]:
    row = await stage.ledger.read(subscribers.get, subscriber_id)
    return subscribers.live_secrets(row, stage.house.keys, stage.clock())
