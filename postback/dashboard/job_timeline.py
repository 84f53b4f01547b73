"""What happened to a job, in order and with the time between: its own steps, and under each notification its
deliveries with their attempts. Pure.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row

from ledger.clock import parse_rfc3339, rfc3339
from ledger.dossier import BODY, Dossier
from ledger.lifecycle import OPEN_DELIVERY
from postback.dashboard import curl, reading, words
from postback.dashboard.holding import Hold, hold
from receiver.advice import advise
from receiver.payload import fit
from receiver.redaction import BLANK

_TONES = {
    "adopted": "good",
    "artifact": "good",
    "submitted": "busy",
    "refused": "bad",
    "not_found": "warn",
    "put_back": "warn",
    "held": "warn",
    "warning": "warn",
}
"""Of entries whose type is no state."""


@dataclass(frozen=True, slots=True)
class Body:
    """The start of a body: `text` as it came, or in base64 if it `is_binary`, and laid out where it is JSON.

    `size` is that of the whole, in bytes, of which `shown` are here.
    """

    size: int
    shown: int
    text: str
    laid_out: str | None
    is_binary: bool = False

    @property
    def is_cut(self) -> bool:
        return self.shown < self.size


@dataclass(frozen=True, slots=True)
class Try:
    """An attempt, so many milliseconds `after` the one before it began; `exact` is when this one did."""

    row: Row[Any]
    exact: str
    after: int
    tone: str
    ended: str
    sent: str | None
    received: str | None
    timing: str


@dataclass(frozen=True, slots=True)
class Sending:
    """A delivery; `advice` is what to do about its last failure, `curl` sends its body again by hand. Where others to
    the same subscriber fail, it is `held` for that reason, until a time if there is one."""

    row: Row[Any]
    to: str | None
    tries: Sequence[Try]
    left_out: int
    advice: str | None
    curl: str | None
    held: Hold | None

    @property
    def is_open(self) -> bool:
        return self.row.status in OPEN_DELIVERY


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the job at that `exact` time, `after` so many milliseconds, None for the first."""

    exact: str
    after: int | None
    tone: str
    kind: str
    text: str
    id: str | None = None
    headers: str | None = None
    body: Body | None = None
    sendings: Sequence[Sending] = field(default_factory=tuple)


def steps(dossier: Dossier, now: int) -> list[Step]:
    """A job's own steps, oldest first. Deliveries whose notification is not among them are in none."""
    owed: dict[str, list[Sending]] = {}
    for row in dossier.deliveries:
        owed.setdefault(row.notification_id, []).append(_sending(row, dossier, now))
    told: list[Step] = []
    before: int | None = None
    for entry in dossier.entries:
        at = parse_rfc3339(entry["at"])
        told.append(_step(entry, None if before is None else at - before, dossier, owed))
        before = at
    return told


def body_of(start: bytes, size: int) -> Body:
    """The start of a body of that size, in bytes."""
    seen = reading.shown(start)
    if seen.text is None and len(start) < size:
        # Where it was cut, half a character may be left over.
        whole = start.decode("utf-8", "ignore")
        if len(start) - len(whole.encode()) < 4:
            return Body(size, len(start), whole, None)
    if seen.text is None:
        return Body(size, len(start), seen.base64 or "", None, is_binary=True)
    laid_out = None if len(start) < size or seen.laid_out == seen.text else seen.laid_out
    return Body(size, len(start), seen.text, laid_out)


def header_lines(kept: str | None) -> str | None:
    """Stored headers a line each; as they are where they cannot be read."""
    if kept is None:
        return None
    found = _object(kept)
    return kept if found is None else "\n".join(f"{name}: {value}" for name, value in found.items())


def _step(entry: Mapping[str, Any], after: int | None, dossier: Dossier, owed: Mapping[str, Sequence[Sending]]) -> Step:
    at, kind, text = entry["at"], entry["type"], entry["summary"]
    tone = words.tone(entry["verdict"]) if "verdict" in entry else _TONES.get(kind, words.tone(kind))
    if callback := dossier.callbacks.get(entry.get("callback_id", "")):
        headers, body = header_lines(callback.headers), body_of(callback.body, callback.size)
        return Step(at, after, tone, kind, text, callback.id, headers, body)
    if notification := dossier.notifications.get(entry.get("notification_id", "")):
        body, sendings = body_of(notification.body, notification.size), owed.get(notification.id, ())
        tone = "warn" if "nobody was told" in text else tone
        return Step(at, after, tone, kind, text, notification.id, None, body, sendings)
    return Step(at, after, tone, kind, text)


def _sending(row: Row[Any], dossier: Dossier, now: int) -> Sending:
    subscriber = dossier.subscribers.get(row.subscriber_id)
    tried = dossier.attempts.get(row.id, ())
    last = tried[-1] if tried else None
    return Sending(
        row,
        None if subscriber is None else subscriber.url,
        _tries(row, tried),
        row.attempt_count - len(tried),
        None if last is None or row.status == "delivered" else advise(last.error_class, last.status_code, last.error),
        _curl(row, last, dossier),
        hold(row, dossier.lanes.get(row.lane), now),
    )


def _tries(row: Row[Any], tried: Sequence[Row[Any]]) -> list[Try]:
    found: list[Try] = []
    before = row.created_at
    for attempt in tried:
        after = attempt.started_at - before
        found.append(
            Try(
                attempt,
                rfc3339(attempt.started_at),
                max(after, 0),
                "good" if attempt.error_class is None else "bad",
                _ended(attempt),
                header_lines(attempt.request_headers),
                header_lines(attempt.response_headers),
                _timing(attempt.timing),
            )
        )
        before = attempt.started_at
    return found


def _ended(attempt: Row[Any]) -> str:
    if attempt.error_class is None or attempt.error_class == "status":
        return f"HTTP {attempt.status_code}"
    return f"{attempt.error_class}: {attempt.error}" if attempt.error else str(attempt.error_class)


def _timing(kept: str | None) -> str:
    found = _object(kept or "") or {}
    return ", ".join(f"{name} {value} ms" for name, value in found.items() if isinstance(value, int))


def _curl(row: Row[Any], last: Row[Any] | None, dossier: Dossier) -> str | None:
    notification = dossier.notifications.get(row.notification_id)
    subscriber = dossier.subscribers.get(row.subscriber_id)
    if notification is None or subscriber is None or notification.size > BODY:
        return None
    try:
        body = fit(notification.body, subscriber.payload).decode("utf-8")
    except UnicodeDecodeError:
        return None
    sent = _object(last.request_headers or "") if last is not None else None
    headers = sent or {"content-type": "application/json", "webhook-id": row.notification_id}
    return curl.send(subscriber.url, {name: str(value) for name, value in headers.items() if value != BLANK}, body)


def _object(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
