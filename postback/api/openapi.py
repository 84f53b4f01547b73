"""The OpenAPI 3.1 description, made from the table of calls and the models."""

import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from ledger.events import EVENTS, JOB_EVENTS
from ledger.pages import DEFAULT_LIMIT, MAX_LIMIT
from postback import __version__
from postback.api import bodies, models, subscriber_models
from postback.api.calls import CALLS, Call, Query
from providers import PROVIDERS
from providers.protocol import Provider
from receiver.problems import KINDS

_REF = "#/components/schemas/{model}"
_TOLD: dict[str, type[BaseModel]] = dict.fromkeys(JOB_EVENTS, models.NotifiedJob) | {
    "subscriber.failing": subscriber_models.FailingSubscriber,
    "subscriber.disabled": subscriber_models.NotifiedSubscriber,
    "delivery.dead": models.Delivery,
    "postback.ping": subscriber_models.Ping,
}
"""What the `data` of each event is."""

_TITLES = {kind.status: kind.title for kind in reversed(list(KINDS.values()))}


def describe() -> dict[str, Any]:
    """The whole document."""
    paths: dict[str, dict[str, Any]] = {}
    for call in CALLS:
        paths.setdefault(call.path, {})[call.method.lower()] = _operation(call)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Postback",
            "version": __version__,
            "description": "Fire-and-forget AI image jobs, delivered as webhooks you can trust.",
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"key": []}],
        "paths": paths,
        "webhooks": {event: {"post": _webhook(event)} for event in EVENTS},
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas(),
        },
    }


def _schemas() -> dict[str, Any]:
    used: dict[type[BaseModel], str] = {models.Problem: "serialization"}
    used |= dict.fromkeys(_TOLD.values(), "serialization")
    for call in CALLS:
        used |= {call.body: "validation"} if call.body else {}
        used |= {call.answer: "serialization"} if call.answer else {}
    _, document = models_json_schema(list(used.items()), ref_template=_REF)  # type: ignore[arg-type]
    schemas: dict[str, Any] = document["$defs"]
    return schemas


def _operation(call: Call) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{call.handler.__module__.rsplit('.', 1)[-1]}_{call.handler.__name__}",
        "summary": call.says,
        "tags": [call.path.removeprefix("/v1").split("/")[1] if call.roles else "health"],
        "parameters": list(_parameters(call)),
        "responses": _responses(call),
    }
    if call.body is not None:
        content: dict[str, Any] = {"application/json": {"schema": _ref(call.body)}}
        if call.body is bodies.NewJob:
            content["application/json"]["examples"] = _examples()
        optional = not call.body.model_json_schema().get("required")
        operation["requestBody"] = {"required": not optional, "content": content}
    if call.open:
        operation["security"] = []
    else:
        operation["description"] = f"Needs an API key with the scope `{call.scope}`."
    return operation


def _examples() -> dict[str, Any]:
    """A request for each model that the documents name, with what they say of each of its fields."""
    return {
        f"{provider.name}/{model}": {"summary": f"{model} at {provider.name}", "value": _example(provider, model)}
        for provider in PROVIDERS.values()
        for model in provider.models
    }


def _example(provider: Provider, model: str) -> dict[str, Any]:
    request: dict[str, Any] = {"provider": provider.name, "model": model, "input": {}, "parameters": {}}
    for parameter in provider.parameters:
        if parameter.applies_to(model) and parameter.example is not None:
            request[parameter.place][parameter.name] = parameter.example
    return request


def _parameters(call: Call) -> Sequence[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name in re.findall(r"{(\w+)}", call.path):
        found.append({"name": name, "in": "path", "required": True, "schema": {"type": "string"}})
    found += [_query(query) for query in call.queries]
    if call.paged:
        limit = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
        found.append({"name": "limit", "in": "query", "schema": limit})
        says = "`next_cursor` of the page before."
        found.append({"name": "cursor", "in": "query", "description": says, "schema": {"type": "string"}})
    return found


def _query(query: Query) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    if query.choices:
        schema["enum"] = list(query.choices)
    if query.kind == "time":
        schema["format"] = "date-time"
    if query.longest is not None:
        schema["maxLength"] = query.longest
    if query.place == "header" and query.longest is not None:
        schema |= {"minLength": 1, "pattern": "^[ -~]+$"}
    return {"name": query.name, "in": query.place, "description": query.says, "schema": schema}


def _responses(call: Call) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": call.says}
    if call.answer is not None:
        schema = _page(call.answer) if call.paged else _ref(call.answer)
        answer["content"] = {"application/json": {"schema": schema}}
    elif call.media is not None:
        answer["content"] = {call.media: {"schema": {"type": "string"}}}
    responses = {str(call.status): answer}
    statuses = {*call.problems, *(() if call.open else (401, 403, 503))}
    statuses |= {400} if call.paged else set()
    statuses |= {422} if call.takes is not None else set()
    statuses |= {400, 413, 415} if call.body is not None else set()
    for status in sorted(statuses):
        content = {"application/problem+json": {"schema": _ref(models.Problem)}}
        responses[str(status)] = {"description": _TITLES[status], "content": content}
    return responses


def _page(item: type[BaseModel]) -> dict[str, Any]:
    cursor = {"type": ["string", "null"]}
    properties = {"data": {"type": "array", "items": _ref(item)}, "next_cursor": cursor}
    return {"type": "object", "properties": properties, "required": ["data", "next_cursor"]}


def _webhook(event: str) -> dict[str, Any]:
    properties = {
        "type": {"const": event},
        "timestamp": {"type": "string", "format": "date-time"},
        "data": _ref(_TOLD[event]),
    }
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    says = (
        "Signed as Standard Webhooks 1.0 says. Any 2xx is success; anything else is tried again. "
        'With payload "thin", and where the whole would be over 256 KB, `data` holds ids and states only.'
    )
    return {
        "summary": f"`{event}`",
        "description": says,
        "parameters": [
            {"name": name, "in": "header", "required": name != "traceparent", "schema": {"type": "string"}}
            for name in ("webhook-id", "webhook-timestamp", "webhook-signature", "postback-attempt", "traceparent")
        ],
        "requestBody": {"content": {"application/json": {"schema": schema}}},
        "responses": {"2XX": {"description": "Received."}},
    }


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=model.__name__)}
