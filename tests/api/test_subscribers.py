"""Subscribers: registered with a secret, checked field by field, changed, forgotten."""

from pathlib import Path
from typing import Any

import pytest
from builders import calls_back, count, pending, succeeded
from standardwebhooks import Webhook

from ledger import schema
from ledger.events import DEFAULT_EVENTS, EVENTS, KINDS

from .stage import SECRET, Stage, problem, served, settings

pytestmark = pytest.mark.anyio

SUBSCRIBER = {
    *("id", "url", "events", "description", "headers", "metadata", "enabled", "disabled_reason"),
    *("max_in_flight", "rate_limit", "filter", "payload", "schedule", "signature", "public_key"),
    *("created_at", "health"),
}
URL = "https://example.com/hook?team=7"

BAD: list[tuple[str, dict[str, Any], str]] = [
    ("no url", {}, "/url"),
    ("url null", {"url": None}, "/url"),
    ("url of another type", {"url": 7}, "/url"),
    ("url empty", {"url": ""}, "/url"),
    ("url too long", {"url": "https://example.com/" + "x" * 2048}, "/url"),
    ("url without a host", {"url": "https:///hook"}, "/url"),
    ("url of another scheme", {"url": "ftp://example.com/"}, "/url"),
    ("url with a password", {"url": "https://me:secret@example.com/"}, "/url"),
    ("url with NUL", {"url": "https://example.com/\x00"}, "/url"),
    ("loopback", {"url": "http://127.0.0.1:9000/"}, "/url"),
    ("localhost", {"url": "http://localhost/"}, "/url"),
    ("loopback IPv6", {"url": "http://[::1]/"}, "/url"),
    ("private", {"url": "https://10.1.2.3/"}, "/url"),
    ("metadata", {"url": "http://169.254.169.254/latest"}, "/url"),
    ("disguised", {"url": "http://2130706433/"}, "/url"),
    ("unknown event", {"url": URL, "events": ["job.succeeded", "job.done"]}, "/events/1"),
    ("event of another type", {"url": URL, "events": [7]}, "/events/0"),
    ("no events", {"url": URL, "events": []}, "/events"),
    ("events no list", {"url": URL, "events": "job.failed"}, "/events"),
    ("description too long", {"url": URL, "description": "x" * 501}, "/description"),
    ("description with NUL", {"url": URL, "description": "a\x00"}, "/description"),
    ("headers no object", {"url": URL, "headers": ["a"]}, "/headers"),
    ("header of another type", {"url": URL, "headers": {"x-a": 1}}, "/headers/x-a"),
    ("header no token", {"url": URL, "headers": {"a/b ~": "1"}}, "/headers/a~1b ~0"),
    ("header with a line break", {"url": URL, "headers": {"x-a": "1\r\nx-b: 2"}}, "/headers/x-a"),
    ("header of ours", {"url": URL, "headers": {"Webhook-Signature": "v1,x"}}, "/headers/Webhook-Signature"),
    ("header of HTTP", {"url": URL, "headers": {"content-length": "1"}}, "/headers/content-length"),
    ("header twice", {"url": URL, "headers": {"x-a": "1", "X-A": "2"}}, "/headers/X-A"),
    ("metadata no object", {"url": URL, "metadata": []}, "/metadata"),
    ("secret without its mark", {"url": URL, "secret": "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, "/secret"),
    ("secret too short", {"url": URL, "secret": "whsec_c2hvcnQ="}, "/secret"),
    ("secret no base64", {"url": URL, "secret": "whsec_!!!"}, "/secret"),
    ("secret empty", {"url": URL, "secret": ""}, "/secret"),
    ("secret with NUL", {"url": URL, "secret": SECRET + "\x00"}, "/secret"),
    ("none in flight", {"url": URL, "max_in_flight": 0}, "/max_in_flight"),
    ("too many in flight", {"url": URL, "max_in_flight": 1001}, "/max_in_flight"),
    ("half in flight", {"url": URL, "max_in_flight": 1.5}, "/max_in_flight"),
    ("true in flight", {"url": URL, "max_in_flight": True}, "/max_in_flight"),
    ("no rate", {"url": URL, "rate_limit": 0}, "/rate_limit"),
    ("rate too low", {"url": URL, "rate_limit": 1e-300}, "/rate_limit"),
    ("rate too high", {"url": URL, "rate_limit": 10**400}, "/rate_limit"),
    ("rate as text", {"url": URL, "rate_limit": "5"}, "/rate_limit"),
    ("unknown field", {"url": URL, "enabled": True}, "/enabled"),
    ("id", {"url": URL, "id": "sub_1"}, "/id"),
]


async def test_a_new_subscriber_is_shown_with_its_secret_once(both: Stage) -> None:
    given = {
        "events": ["job.*"],
        "description": "ours\n",
        "metadata": {"team\x00": 7},
        "max_in_flight": 3,
        "rate_limit": 2,
    }
    headers = {"X-Team": "7", "Authorization": "Bearer hush-hush"}
    answer = await both.client.post("/v1/subscribers", json={"url": URL, "headers": headers} | given)
    assert answer.status_code == 201
    made = answer.json()
    assert set(made) == SUBSCRIBER | {"secret"}
    assert answer.headers["location"] == f"/v1/subscribers/{made['id']}"
    assert {name: made[name] for name in given} == given
    assert made["headers"] == ["Authorization", "X-Team"]
    assert (made["url"], made["enabled"], made["disabled_reason"]) == (URL, True, None)
    Webhook(made["secret"])
    secret = made.pop("secret")
    shown = await both.client.get(answer.headers["location"])
    assert shown.json() == made
    assert (await both.get("/v1/subscribers")) == {"data": [made], "next_cursor": None}
    for text in (shown.text, (await both.client.get("/v1/subscribers")).text):
        assert secret not in text
        assert "hush-hush" not in text


async def test_what_is_left_out_has_its_default(stage: Stage) -> None:
    made = await stage.subscribe()
    assert made["events"] == list(DEFAULT_EVENTS)
    assert (made["description"], made["headers"], made["metadata"]) == (None, [], {})
    assert (made["max_in_flight"], made["rate_limit"]) == (10, None)
    assert made["secret"] != (await stage.subscribe())["secret"]
    nothing = dict.fromkeys(("events", "description", "headers", "metadata", "secret", "max_in_flight", "rate_limit"))
    again = await stage.subscribe(**nothing)
    assert {name: again[name] for name in nothing if name != "secret"} == {
        name: made[name] for name in nothing if name != "secret"
    }


async def test_every_event_type_can_be_asked_for(stage: Stage) -> None:
    for events in (*([event] for event in EVENTS), ["*"], *([kind] for kind in KINDS), list(EVENTS)):
        assert (await stage.subscribe(events=events))["events"] == events


async def test_a_secret_of_ones_own_is_kept(stage: Stage) -> None:
    assert (await stage.subscribe(secret=SECRET))["secret"] == SECRET


async def test_a_bad_field_is_named_and_nothing_is_recorded(stage: Stage) -> None:
    for name, body, pointer in BAD:
        document = problem(await stage.client.post("/v1/subscribers", json=body), 422, "invalid")
        assert pointer in [error["pointer"] for error in document["errors"]], name
        assert body.get("secret") is None or not body["secret"] or body["secret"] not in str(document), name
    assert await count(stage.ledger, schema.subscribers) == 0


async def test_a_bad_change_is_named_and_nothing_is_changed(stage: Stage) -> None:
    made = await stage.subscribe()
    path = f"/v1/subscribers/{made['id']}"
    before = await stage.get(path)
    bad = [row for row in BAD if row[2] not in ("/secret", "/enabled") and row[0] != "no url"]
    bad += [("enabled null", {"enabled": None}, "/enabled"), ("enabled text", {"enabled": "no"}, "/enabled")]
    bad += [("secret", {"secret": SECRET}, "/secret")]
    for name, body, pointer in bad:
        document = problem(await stage.client.patch(path, json={"description": "new"} | body), 422, "invalid")
        assert pointer in [error["pointer"] for error in document["errors"]], name
    assert await stage.get(path) == before


async def test_a_private_address_is_taken_where_the_setting_allows_it(tmp_path: Path, sqlite_url: str) -> None:
    async with served(settings(tmp_path, sqlite_url, allow_networks="127.0.0.0/8")) as stage:
        made = await stage.subscribe(url="http://127.0.0.1:9000/hook")
        await stage.client.patch(f"/v1/subscribers/{made['id']}", json={"url": "http://localhost:9000/"})
        for url in ("http://10.0.0.1/", "http://[::1]/"):
            problem(await stage.client.post("/v1/subscribers", json={"url": url}), 422, "invalid")


async def test_what_a_patch_names_changes_and_the_rest_stays(both: Stage) -> None:
    full = {"events": ["*"], "description": "d", "headers": {"x-a": "1"}, "metadata": {"a": 1}, "rate_limit": 5.0}
    made = await both.subscribe(**full, max_in_flight=3)
    made.pop("secret")
    path = f"/v1/subscribers/{made['id']}"
    changes: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({}, {}),
        ({"url": "https://example.org/"}, {"url": "https://example.org/"}),
        ({"events": ["job.failed"]}, {"events": ["job.failed"]}),
        ({"events": None}, {"events": list(DEFAULT_EVENTS)}),
        ({"description": "e"}, {"description": "e"}),
        ({"description": None}, {"description": None}),
        ({"headers": {"x-b": "2", "x-c": "3"}}, {"headers": ["x-b", "x-c"]}),
        ({"headers": None}, {"headers": []}),
        ({"metadata": {"b": 2}}, {"metadata": {"b": 2}}),
        ({"metadata": None}, {"metadata": {}}),
        ({"max_in_flight": 7, "rate_limit": 0.5}, {"max_in_flight": 7, "rate_limit": 0.5}),
        ({"max_in_flight": None, "rate_limit": None}, {"max_in_flight": 10, "rate_limit": None}),
        ({"enabled": False}, {"enabled": False, "disabled_reason": "disabled by hand"}),
        ({"enabled": True}, {"enabled": True, "disabled_reason": None}),
    ]
    for change, result in changes:
        answer = await both.client.patch(path, json=change)
        assert answer.status_code == 200
        made |= result
        assert answer.json() == made, change
        assert await both.get(path) == made


async def test_a_disabled_subscriber_is_skipped_visibly(both: Stage) -> None:
    listener = await both.listener()
    path = f"/v1/subscribers/{listener}"
    before = await pending(both.ledger, "task-a")
    await calls_back(both.ledger, before, succeeded(task_id="task-a"))
    assert (await both.client.patch(path, json={"enabled": False})).status_code == 200
    after = await pending(both.ledger, "task-b")
    await calls_back(both.ledger, after, succeeded(task_id="task-b"))
    owed = (await both.get("/v1/deliveries"))["data"]
    assert [(one["job_id"], one["status"]) for one in owed] == [(after.id, "skipped"), (before.id, "skipped")]
    assert all(one["finished_at"] and one["next_attempt_at"] is None for one in owed)
    assert {one["last_error"] for one in owed} == {"the subscriber is disabled"}
    for one in owed:
        problem(await both.client.post(f"/v1/deliveries/{one['id']}/redeliver"), 409, "conflict")
    problem(await both.client.post(f"{path}/recover", json={"since": before_all()}), 409, "conflict")


async def test_a_forgotten_subscriber_is_gone_and_what_it_was_owed_is_skipped(both: Stage) -> None:
    listener = await both.listener()
    job = await pending(both.ledger)
    await calls_back(both.ledger, job, succeeded())
    path = f"/v1/subscribers/{listener}"
    answer = await both.client.delete(path)
    assert (answer.status_code, answer.content) == (204, b"")
    for method, gone in (("GET", path), ("DELETE", path), ("GET", f"{path}/secret"), ("POST", f"{path}/test")):
        problem(await both.client.request(method, gone), 404, "not-found")
    assert await both.ids("/v1/subscribers") == []
    [owed] = (await both.get("/v1/deliveries", subscriber_id=listener))["data"]
    assert (owed["status"], owed["last_error"]) == ("skipped", "the subscriber was deleted")
    problem(await both.client.post(f"/v1/deliveries/{owed['id']}/redeliver"), 409, "conflict")
    other = await pending(both.ledger, "task-b")
    await calls_back(both.ledger, other, succeeded(task_id="task-b"))
    assert len(await both.ids("/v1/deliveries")) == 1


def before_all() -> str:
    return "2023-01-01T00:00:00Z"
