"""The form of a subscriber: what was filled in as a request of the API would say it, and what it says was wrong. Pure.

The values of custom headers and a secret are never shown back, not even where another field was wrong.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import FormData

from ledger.events import DEFAULT_EVENTS, EVENTS, KINDS
from providers.jsontext import BadJson, load_object

FIELDS = (
    *("url", "secret", "description", "events", "headers", "metadata", "max_in_flight", "rate_limit"),
    *("filter", "payload", "schedule", "signature"),
)
CHOICES = ("*", *KINDS, *EVENTS)
"""Event types that can be ticked."""

_TEXTS = ("url", "description", "metadata", "max_in_flight", "rate_limit", "filter", "payload", "schedule", "signature")


@dataclass(frozen=True, slots=True)
class Filled:
    """A form: its fields to be shown again, the request that they make, and what is wrong already, by field."""

    values: Mapping[str, Any]
    document: Mapping[str, Any]
    errors: Mapping[str, str]


def blank() -> dict[str, Any]:
    """The fields of a new one."""
    return {**dict.fromkeys(_TEXTS, ""), "payload": "full", "signature": "v1", "events": list(DEFAULT_EVENTS)}


def values_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of one that is there, from how it is on the wire."""
    return {
        **{name: "" if document[name] is None else str(document[name]) for name in _TEXTS},
        "rate_limit": "" if document["rate_limit"] is None else f"{document['rate_limit']:.10g}",
        "schedule": ", ".join(document["schedule"] or ()),
        "filter": _json(document["filter"]),
        "metadata": _json(document["metadata"]),
        "events": list(document["events"]),
    }


def read(fields: FormData, *, new: bool) -> Filled:
    """The form as it was filled in; of one that is there, only what it may change."""
    values: dict[str, Any] = {name: str(fields.get(name, "")).strip() for name in _TEXTS}
    values["events"] = [str(one) for one in dict.fromkeys(fields.getlist("events"))]
    errors: dict[str, str] = {}
    document: dict[str, Any] = {
        "url": values["url"],
        "description": values["description"] or None,
        "events": values["events"],
        "max_in_flight": _whole(values["max_in_flight"]),
        "rate_limit": _number(values["rate_limit"]),
        "schedule": [part.strip() for part in values["schedule"].split(",")] if values["schedule"] else None,
        "payload": values["payload"] or None,
        "signature": values["signature"] or None,
    }
    for name in ("filter", "metadata"):
        try:
            document[name] = load_object(values[name].encode()) if values[name] else None
        except (BadJson, UnicodeEncodeError) as error:
            errors[name] = f"Write a JSON object: {error}."
    secret, headers = str(fields.get("secret", "")).strip(), str(fields.get("headers", ""))
    if new and secret:
        document["secret"] = secret
    if headers.strip():
        document["headers"], wrong = _headers(headers)
        errors |= {"headers": wrong} if wrong else {}
    elif fields.get("no_headers"):
        document["headers"] = None
    return Filled(values, document, errors)


def said(errors: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The API's complaints by field; what belongs to none is under ""."""
    by_field: dict[str, list[str]] = {}
    for error in errors:
        name, _, inner = error.get("pointer", "").removeprefix("/").partition("/")
        where = inner.replace("~1", "/").replace("~0", "~")
        text = f"{where}: {error['detail']}" if where and not where.isdigit() else error["detail"]
        by_field.setdefault(name if name in FIELDS else "", []).append(text[:1].upper() + text[1:] + ".")
    return {name: " ".join(dict.fromkeys(texts)) for name, texts in by_field.items()}


def _headers(text: str) -> tuple[dict[str, str], str | None]:
    headers: dict[str, str] = {}
    for place, line in enumerate(filter(str.strip, text.split("\n")), 1):
        name, colon, value = line.partition(":")
        # The line itself is not quoted: it may be a credential without its name.
        if not colon:
            return {}, f"Line {place} has no colon: write Name: value. Fill in all headers again."
        if name.strip() in headers:
            return {}, f"Line {place} has a name that was there before. Fill in all headers again."
        headers[name.strip()] = value.strip()
    return headers, None


def _whole(text: str) -> int | str | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text or None


def _number(text: str) -> float | str | None:
    try:
        return float(text) if text else None
    except ValueError:
        return text


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) if value else ""
