from collections.abc import Mapping
from typing import Any

import pytest

from postback.demo.ending import Act, complaints
from postback.demo.story import Scene
from postback.demo.webhook import Webhook
from providers.jsontext import BadJson
from receiver import signing

SECRET = "whsec_" + 32 * "A"
NOW = 1_700_000_000
BODY = b'{"type":"job.succeeded","timestamp":"2026-01-31T12:00:00Z","data":{"id":"job_1"}}'
HEADERS = signing.headers([SECRET], "ntf_1", NOW, BODY)

SCENE = Scene("cats", "two cats", {}, images=1, failed_images=1)
RESULTS = [{"url": "https://example.com/1.png", "error": None}, {"url": None, "error": {"code": "x", "message": "y"}}]
JOB = {"id": "job_1", "status": "succeeded", "results": RESULTS, "error": None}
DELIVERED = {"status": "delivered", "last_error": None}
ARRIVED = Webhook.received(SECRET, HEADERS, BODY, NOW)
FORGED = Webhook.received(SECRET, HEADERS, BODY + b" ", NOW)


def test_a_webhook() -> None:
    assert (ARRIVED.id, ARRIVED.type, ARRIVED.job_id) == ("ntf_1", "job.succeeded", "job_1")
    assert ARRIVED.verdict.ok


def test_a_webhook_that_does_not_verify_is_not_read() -> None:
    assert not FORGED.verdict.ok
    assert (FORGED.type, FORGED.data, FORGED.job_id) == ("", None, None)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"type":"job.succeeded"}', b'{"type":1,"data":{}}'])
def test_a_webhook_that_is_none(body: bytes) -> None:
    with pytest.raises(BadJson):
        Webhook.received(SECRET, signing.headers([SECRET], "ntf_1", NOW, body), body, NOW)


def test_no_complaint() -> None:
    assert complaints([Act(SCENE, JOB, DELIVERED)], [ARRIVED]) == []


@pytest.mark.parametrize(
    ("job", "delivery", "webhooks", "complaint"),
    [
        ({"status": "running"}, DELIVERED, [ARRIVED], "cats: the job is running, not succeeded"),
        (
            {"status": "failed", "error": {"code": "x", "message": "y"}},
            DELIVERED,
            [ARRIVED],
            "cats: the job is failed (x: y), not succeeded",
        ),
        (
            {"results": None},
            DELIVERED,
            [ARRIVED],
            "cats: 0 images were made and 0 failed; 1 and 1 were expected",
        ),
        ({"error": {"code": "x", "message": "y"}}, DELIVERED, [ARRIVED], "cats: its error is x, not None"),
        ({}, DELIVERED, [], "cats: no verified job.succeeded webhook arrived"),
        ({"id": "job_2"}, DELIVERED, [ARRIVED], "cats: no verified job.succeeded webhook arrived"),
        ({}, {"status": "dead", "last_error": "HTTP 500"}, [ARRIVED], "cats: its delivery is dead: HTTP 500"),
        ({}, {"status": "pending", "last_error": None}, [ARRIVED], "cats: its delivery is pending"),
        (
            {},
            DELIVERED,
            [ARRIVED, FORGED, FORGED],
            f"webhook ntf_1 did not verify: {FORGED.verdict.explanation}",
        ),
    ],
)
def test_complaints(
    job: Mapping[str, Any], delivery: Mapping[str, Any], webhooks: list[Webhook], complaint: str
) -> None:
    assert complaints([Act(SCENE, {**JOB, **job}, delivery)], webhooks) == [complaint]


def test_when_nothing_more_will_happen() -> None:
    assert Act(SCENE, JOB, DELIVERED).ended
    assert Act(SCENE, JOB, {"status": "dead"}).ended
    assert not Act(SCENE, JOB, {"status": "pending"}).ended
    assert not Act(SCENE, JOB).ended
    assert not Act(SCENE, {"status": "running"}, DELIVERED).ended
