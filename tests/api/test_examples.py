"""The example of every event: what the description says of it, and nothing else than a real one holds."""

from collections.abc import Mapping
from typing import Any

import jsonschema_rs
import pytest
from builders import NOW, calls_back, pending, succeeded

from ledger.events import EVENTS, JOB_EVENTS
from postback.api.examples import data_of
from postback.api.openapi import describe

from .stage import Stage

pytestmark = pytest.mark.anyio

DESCRIPTION = describe()
LINK = "https://postback.test/artifacts/".__add__
EXAMPLES = {event: data_of(event, NOW, LINK) for event in EVENTS if event != "postback.ping"}


@pytest.mark.parametrize("event", EXAMPLES)
def test_it_is_what_the_webhook_says(event: str) -> None:
    webhook = DESCRIPTION["webhooks"][event]["post"]["requestBody"]["content"]["application/json"]["schema"]
    sent = {"type": event, "timestamp": "2023-11-14T22:13:20.000Z", "data": EXAMPLES[event]}
    jsonschema_rs.validator_for(webhook | {"components": DESCRIPTION["components"]}).validate(sent)


@pytest.mark.parametrize("event", EXAMPLES)
def test_it_is_marked(event: str) -> None:
    data = EXAMPLES[event]
    assert data["id"].endswith("_" + "0" * 26)
    assert event == "delivery.dead" or data["metadata"] == {"example": True}


async def test_it_has_the_fields_of_a_real_one(stage: Stage) -> None:
    told = await stage.listener(events=["*"])
    other = await stage.listener()
    job = await pending(stage.ledger)
    await calls_back(stage.ledger, job, succeeded())
    await stage.client.patch(f"/v1/subscribers/{other}", json={"enabled": False})
    real = {one["type"]: one["data"] for one in (await stage.get("/v1/notifications"))["data"]}
    assert told
    for event in JOB_EVENTS:
        assert fields(EXAMPLES[event]) == fields(real["job.succeeded"]), event
    assert fields(EXAMPLES["subscriber.disabled"]) == fields(real["subscriber.disabled"])
    warned = fields(real["subscriber.disabled"]) | {"failing_since", "disabled_at"}
    assert fields(EXAMPLES["subscriber.failing"]) == warned
    [skipped] = (await stage.get("/v1/deliveries", subscriber_id=other))["data"]
    assert fields(EXAMPLES["delivery.dead"]) == fields(skipped)


def test_the_states_are_those_that_the_events_tell_of() -> None:
    states = {event: EXAMPLES[event]["status"] for event in JOB_EVENTS}
    assert states == {event: event.partition(".")[2] for event in JOB_EVENTS} | {
        "job.submitted": "pending",
        "job.archived": "succeeded",
    }
    assert EXAMPLES["job.archived"]["results"][0]["artifact"]["url"] == LINK("art_" + "0" * 26)
    assert EXAMPLES["job.failed"]["error"]["code"]


def fields(document: Mapping[str, Any]) -> set[str]:
    return set(document)
