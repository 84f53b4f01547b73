"""The description: valid OpenAPI 3.1, complete in both directions, and true of what is answered."""

import re
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from builders import calls_back, pending, succeeded

from ledger.events import EVENTS
from postback.api.openapi import describe
from receiver.problems import KINDS

from .stage import Stage
from .test_calls import OPEN, WITH_KEY, routes_of

pytestmark = pytest.mark.anyio

PAGES = {("GET", "/openapi.json"), ("GET", "/docs")}
"""The description itself, and the page drawn from it."""


def operations() -> dict[tuple[str, str], Any]:
    return {
        (method.upper(), path): operation
        for path, methods in describe()["paths"].items()
        for method, operation in methods.items()
    }


async def test_it_is_what_the_server_serves(stage: Stage) -> None:
    answer = await stage.anyone.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == describe()
    assert answer.json()["openapi"].startswith("3.1.")


def test_it_is_valid() -> None:
    schemathesis.openapi.from_dict(describe()).validate()


def test_every_reference_leads_somewhere() -> None:
    description = describe()
    references = re.findall(r"'\$ref': '#/([^']+)'", str(description))
    assert references
    for reference in references:
        place: Any = description
        for part in reference.split("/"):
            place = place[part]
    for name, schema in description["components"]["schemas"].items():
        assert schema["description"], name
        jsonschema_rs.validator_for(schema | {"components": description["components"]})


async def test_every_route_is_described_and_every_description_has_a_route(stage: Stage) -> None:
    assert await routes_of(stage) - PAGES == set(operations())
    assert set(WITH_KEY + OPEN) - PAGES <= set(operations())


def test_operations_are_named_once_and_say_what_they_do() -> None:
    found = operations()
    assert len({operation["operationId"] for operation in found.values()}) == len(found)
    for call, operation in found.items():
        assert operation["summary"].endswith("."), call
        assert operation["tags"], call


def test_who_needs_the_key_is_described() -> None:
    assert describe()["security"] == [{"key": []}]
    for call, operation in operations().items():
        closed = call[1].startswith("/v1/") or call[1] == "/metrics"
        assert operation.get("security") == (None if closed else []), call
        assert ("401" in operation["responses"]) == closed, call


def test_every_error_is_a_problem_document() -> None:
    statuses = {str(kind.status) for kind in KINDS.values()}
    for call, operation in operations().items():
        for status, answer in operation["responses"].items():
            if status >= "400":
                assert set(answer["content"]) == {"application/problem+json"}, call
                assert status in statuses


def test_every_event_is_a_described_webhook() -> None:
    webhooks = describe()["webhooks"]
    assert set(webhooks) == set(EVENTS)
    for event, webhook in webhooks.items():
        names = {parameter["name"] for parameter in webhook["post"]["parameters"]}
        assert names == {"webhook-id", "webhook-timestamp", "webhook-signature", "postback-attempt", "traceparent"}, (
            event
        )
        schema = webhook["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert set(schema["required"]) == {"type", "timestamp", "data"}
        assert schema["properties"]["type"] == {"const": event}


async def test_what_is_sent_is_what_the_webhook_says(stage: Stage) -> None:
    description = describe()
    await stage.listener(events=["*"])
    job = await pending(stage.ledger)
    await calls_back(stage.ledger, job, succeeded())
    for sent in (await stage.get("/v1/notifications"))["data"]:
        webhook = description["webhooks"][sent["type"]]["post"]["requestBody"]["content"]["application/json"]["schema"]
        validator = jsonschema_rs.validator_for(webhook | {"components": description["components"]})
        validator.validate({name: sent[name] for name in ("type", "timestamp", "data")})
        assert not validator.is_valid({"type": sent["type"], "timestamp": sent["timestamp"], "data": {}})
