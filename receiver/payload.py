"""The body that a subscriber is sent: the whole notification, or its ids, type and status only. Pure; never raises."""

import json
from typing import Any, Literal

Payload = Literal["full", "thin"]

MAX_BODY = 256 * 1024
"""The most bytes of a full body. Many receivers refuse more, and a receiver that needs more can fetch the job."""

_STATE = "status"
_MAX_VALUE = 256


def fit(body: bytes, payload: str) -> bytes:
    """What is sent of a notification's `body` to a subscriber that wants this `Payload`.

    A full body of more than `MAX_BODY` bytes is thinned all the same, and `data.thinned` says so.
    """
    if payload == "thin":
        return thin(body)
    if len(body) <= MAX_BODY:
        return body
    says = f"the full notification is {len(body)} bytes, over {MAX_BODY}: fetch the job by its id"
    return thin(body, {"thinned": says})


def thin(body: bytes, extra: dict[str, str] | None = None) -> bytes:
    """`{"type", "timestamp", "data"}` with nothing in data but ids (`id` and every `…_id`), `status` and `extra`.

    What is not a JSON object is no notification, and stays as it is.
    """
    try:
        full = json.loads(body)
    except (ValueError, RecursionError):
        return body
    if not isinstance(full, dict):
        return body
    data = full.get("data")
    kept = {name: value for name, value in data.items() if _stays(name, value)} if isinstance(data, dict) else {}
    document = {name: full[name] for name in ("type", "timestamp") if name in full and _is_short(full[name])}
    text = json.dumps({**document, "data": kept | (extra or {})}, ensure_ascii=False, separators=(",", ":"))
    # Half a surrogate pair is no UTF-8, and as a backslash and digits it is the JSON that it came from.
    return text.encode("utf-8", "backslashreplace")


def _stays(name: str, value: Any) -> bool:
    return (name == "id" or name.endswith("_id") or name == _STATE) and len(name) <= _MAX_VALUE and _is_short(value)


def _is_short(value: Any) -> bool:
    """An id or a state, not a document in its place."""
    return value is None or isinstance(value, int) or (isinstance(value, str) and len(value) <= _MAX_VALUE)
