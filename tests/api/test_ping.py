"""`POST /v1/subscribers/{id}/test`: sent at once, whatever waits, and the answer says how that went."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from builders import FakeClock, claimed, count, owe
from standardwebhooks import Webhook

from ledger import lanes, schema
from ledger.clock import system_now
from ledger.events import EVENTS
from ledger.lane import Lane
from receiver import signing
from receiver.answers import EgressError
from receiver.timing import Timing
from tests.receiver.endpoints import OK, serve

from .door import Door, answers, guarded
from .stage import Stage, problem, served, settings

pytestmark = pytest.mark.anyio


@pytest.fixture
def door() -> Iterator[Door]:
    with guarded() as door:
        yield door


async def tried(stage: Stage, subscriber_id: str, **body: Any) -> Any:
    answer = await stage.client.post(f"/v1/subscribers/{subscriber_id}/test", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_it_is_sent_at_once_by_a_process_that_forwards_nothing(tmp_path: Path, sqlite_url: str) -> None:
    given = settings(tmp_path, sqlite_url, allow_networks="127.0.0.0/8")
    async with serve(OK) as server, served(given, frozenset({"api"}), FakeClock(system_now())) as stage:
        made = await stage.subscribe(url=server.url(), events=["job.failed"])
        delivery = await tried(stage, made["id"])
    assert (delivery["type"], delivery["status"], delivery["job_id"]) == ("postback.ping", "delivered", None)
    assert (delivery["attempt_count"], delivery["diagnosis"]) == (1, None)
    [attempt] = delivery["attempts"]
    assert (attempt["status_code"], attempt["response_excerpt"], attempt["trigger"]) == (200, "ok", "manual")
    assert set(attempt["timing"]) == {"dns", "connect", "tls", "response"}
    assert attempt["response_headers"] == {"content-length": "2"}
    head, _, body = server.heard[0].partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    sent = Webhook(made["secret"]).verify(body, {name.lower(): value for name, value in headers.items()})
    assert sent["data"] == {"subscriber_id": made["id"]}


async def test_it_does_not_wait_behind_thousands_nor_for_the_circuit(both: Stage, door: Door) -> None:
    listener = await both.listener(max_in_flight=1)
    await owe(both.ledger, listener, 2_000)
    assert len((await claimed(both.ledger)).rows) == 1
    open_lane = Lane(
        listener, failures=50, failing_since=both.clock(), paused_until=both.clock() + 30_000, probing=True
    )
    await both.ledger.write(lambda connection, moment: lanes.save(connection, [open_lane]))
    assert (await both.get(f"/v1/subscribers/{listener}"))["health"]["state"] == "open"
    assert (await tried(both, listener))["status"] == "delivered"
    assert len(door.sent) == 1
    assert (await both.get(f"/v1/subscribers/{listener}"))["health"]["state"] == "healthy"


FAILURES: list[tuple[Any, str, int | None, str]] = [
    (EgressError("dns", "hook.example does not resolve", Timing(dns=4)), "dns", None, "host name"),
    (EgressError("connect", "refused", Timing(1, 2)), "connect", None, "listens on this port"),
    (EgressError("tls", "the certificate is expired", Timing(1, 2, 3)), "tls", None, "certificate"),
    (EgressError("timeout", "no answer in time", Timing(1, 2, 3, 15_000)), "timeout", None, "2xx at once"),
    (EgressError("guard", "10.0.0.1 is private"), "guard", None, "POSTBACK_ALLOW_NETWORKS"),
    (EgressError("response", "no HTTP"), "response", None, "speaks HTTP"),
    (answers(302), "status", 302, "not followed"),
    (answers(401), "status", 401, "credentials"),
    (answers(500), "status", 500, "log"),
]


@pytest.mark.parametrize(("answer", "error_class", "status_code", "advice"), FAILURES)
async def test_a_failure_says_what_it_was_and_what_to_do(
    stage: Stage, door: Door, answer: Any, error_class: str, status_code: int | None, advice: str
) -> None:
    door.answer = answer
    listener = await stage.listener()
    delivery = await tried(stage, listener)
    assert (delivery["status"], delivery["next_attempt_at"]) == ("dead", None)
    diagnosis = delivery["diagnosis"]
    assert (diagnosis["error_class"], diagnosis["status_code"]) == (error_class, status_code)
    assert advice in diagnosis["advice"]
    [attempt] = delivery["attempts"]
    assert (attempt["error_class"], attempt["error"]) == (error_class, delivery["last_error"])
    assert (await stage.get(f"/v1/deliveries/{delivery['id']}"))["attempts"] == [attempt]
    # Whoever tries something out must not stop what works.
    health = (await stage.get(f"/v1/subscribers/{listener}"))["health"]
    assert (health["state"], health["consecutive_failures"], health["failing_since"]) == ("healthy", 0, None)


async def test_a_test_that_failed_is_not_recovered(both: Stage, door: Door) -> None:
    door.answer = answers(500)
    listener = await both.listener()
    for event in ("postback.ping", "job.succeeded"):
        await tried(both, listener, type=event)
    body = {"since": "2023-01-01T00:00:00Z", "replay_missing": True}
    answer = await both.client.post(f"/v1/subscribers/{listener}/recover", json=body)
    assert answer.json() == {"recovered": 0, "replayed": 0, "last_due_at": None, "dry_run": False}


async def test_it_is_signed_in_both_schemes_for_who_chose_ed25519(stage: Stage, door: Door) -> None:
    made = await stage.subscribe(signature="v1a")
    await tried(stage, made["id"])
    [(_, headers, body)] = door.sent
    now = stage.clock() / 1_000
    assert [one.partition(",")[0] for one in headers["webhook-signature"].split()] == ["v1", "v1a"]
    for verifier in (made["secret"], made["public_key"]):
        assert signing.verify(verifier, headers, body, now).ok


async def test_a_410_to_a_test_says_what_it_would_do_and_does_not_do_it(both: Stage, door: Door) -> None:
    door.answer = answers(410)
    listener = await both.listener()
    assert "disables" in (await tried(both, listener))["diagnosis"]["advice"]
    assert (await both.get(f"/v1/subscribers/{listener}"))["enabled"]


async def test_a_test_that_is_told_to_come_later_pauses_nothing(stage: Stage, door: Door) -> None:
    door.answer = answers(503, retry_after="86400")
    listener = await stage.listener()
    await tried(stage, listener)
    assert (await stage.get(f"/v1/subscribers/{listener}"))["health"]["paused_until"] is None


async def test_a_disabled_subscriber_can_be_tested_before_it_is_enabled(stage: Stage, door: Door) -> None:
    listener = await stage.listener()
    await stage.client.patch(f"/v1/subscribers/{listener}", json={"enabled": False})
    assert (await tried(stage, listener))["status"] == "delivered"
    assert not (await stage.get(f"/v1/subscribers/{listener}"))["enabled"]


@pytest.mark.parametrize("event", EVENTS)
async def test_any_event_can_be_tried_whatever_is_listened_to(stage: Stage, door: Door, event: str) -> None:
    listener = await stage.listener(events=["job.lost"], filter={"model": "another"})
    delivery = await tried(stage, listener, type=event)
    assert (delivery["type"], delivery["status"], delivery["job_id"]) == (event, "delivered", None)
    [(_, headers, body)] = door.sent
    assert headers["webhook-id"] == delivery["notification_id"]
    assert headers["postback-attempt"] == "1"
    assert json.loads(body)["type"] == event


async def test_it_is_as_thin_as_what_is_sent_otherwise(stage: Stage, door: Door) -> None:
    await tried(stage, await stage.listener(payload="thin"), type="job.succeeded")
    data = json.loads(door.sent[0][2])["data"]
    assert data == {"id": "job_" + "0" * 26, "status": "succeeded", "task_id": "example"}


async def test_an_event_that_nobody_knows_is_422_and_nothing_is_sent(stage: Stage, door: Door) -> None:
    path = f"/v1/subscribers/{await stage.listener()}/test"
    for event in ("job.done", "job.*", "*", "", 7):
        answer = await stage.client.post(path, json={"type": event})
        assert problem(answer, 422, "invalid")["errors"][0]["pointer"] == "/type", event
    assert door.sent == []
    assert await count(stage.ledger, schema.deliveries) == 0


async def test_whoever_asked_may_leave_and_the_attempt_is_recorded(stage: Stage, door: Door) -> None:
    door.held = asyncio.Event()
    listener = await stage.listener()
    asking = asyncio.create_task(stage.client.post(f"/v1/subscribers/{listener}/test"))
    while not door.sent:
        await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    door.held.set()
    path = f"/v1/deliveries/{(await stage.ids('/v1/deliveries'))[0]}"
    while (await stage.get(path))["status"] == "delivering":
        await asyncio.sleep(0)
    done = await stage.get(path)
    assert (done["status"], [one["status_code"] for one in done["attempts"]]) == ("delivered", [200])
