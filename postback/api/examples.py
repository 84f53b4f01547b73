"""An example of every event, for tests: what a real one holds, made as real ones are. Ids of zeros and
`{"example": true}` in the metadata tell that it is none."""

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, cast

from sqlalchemy import Row

from ledger import deliveries, subscribers
from ledger.clock import MINUTE, SECOND, rfc3339
from ledger.job import Job, Link
from ledger.lane import DISABLE_AFTER, WARN_AFTER
from ledger.subscribers import Draft

_ZEROS = "0" * 26
_MARK = {"example": True}
_SENT = 2 * SECOND
"""After what time the job of the example was sent, and how much later it was done."""

_URL = "https://example.com/example.png"
_ARTIFACT = {"id": f"art_{_ZEROS}", "media_type": "image/png", "size": 68, "sha256": "0" * 64}
_MADE = {"metrics": {"total": 1, "succeeded": 1, "failed": 0}, "usage": {"image_count": 1}}
_TASK = {"task_id": "example"}


def data_of(event: str, now: int, link: Link) -> dict[str, Any]:
    """The `data` of such an event that happens at `now`. `link` gives an artifact its URL. Raises `KeyError`."""
    if event in _JOBS:
        return _job(now, link, **_JOBS[event])
    return _OTHERS[event](now)


_JOBS: Mapping[str, dict[str, Any]] = {
    "job.submitted": {"status": "pending", **_TASK},
    "job.running": {"status": "running", **_TASK},
    "job.succeeded": {
        "status": "succeeded",
        "results": [{"url": _URL, "error": None, "artifact": None}],
        **_TASK,
        **_MADE,
    },
    "job.failed": {
        "status": "failed",
        "error": {"code": "Example", "message": "This failure is an example."},
        **_TASK,
    },
    "job.canceled": {"status": "canceled", **_TASK},
    "job.lost": {"status": "lost", **_TASK},
    "job.unconfirmed": {"status": "unconfirmed"},
    "job.archived": {
        "status": "succeeded",
        "results": [{"url": _URL, "error": None, "artifact": _ARTIFACT}],
        **_TASK,
        **_MADE,
    },
}


def _job(now: int, link: Link, **changes: Any) -> dict[str, Any]:
    ended = changes["status"] in ("succeeded", "failed", "canceled", "lost")
    job = Job(
        id=f"job_{_ZEROS}",
        provider="dashscope",
        model="flux-schnell",
        input={"prompt": "an example: an eagle over the sea"},
        parameters={"size": "1024*1024"},
        metadata=_MARK,
        created_at=now - MINUTE,
        submitted_at=now - MINUTE + _SENT if "task_id" in changes else None,
        finished_at=now if ended else None,
        sequence=2 if ended else 1,
        **changes,
    )
    return job.document(link) | {"sequence": job.sequence}


def _subscriber(now: int, **changes: Any) -> dict[str, Any]:
    draft = Draft("https://example.com/hook", sealed_secret="", description="an example", metadata=_MARK)
    row = subscribers.new_row(f"sub_{_ZEROS}", draft, now - 2 * DISABLE_AFTER) | changes
    return subscribers.document(_row(row))


def _failing(now: int) -> dict[str, Any]:
    since = now - WARN_AFTER
    return _subscriber(now) | {"failing_since": rfc3339(since), "disabled_at": rfc3339(since + DISABLE_AFTER)}


def _disabled(now: int) -> dict[str, Any]:
    why = f"every attempt has failed since {rfc3339(now - DISABLE_AFTER)}"
    return _subscriber(now, enabled=False, disabled_reason=why)


def _dead(now: int) -> dict[str, Any]:
    row = {
        "id": f"dlv_{_ZEROS}",
        "notification_id": f"ntf_{_ZEROS}",
        "subscriber_id": f"sub_{_ZEROS}",
        "job_id": f"job_{_ZEROS}",
        "type": "job.succeeded",
        "status": "dead",
        "attempt_count": 10,
        "due_at": None,
        "last_error": "the subscriber answered HTTP 500",
        "created_at": now - DISABLE_AFTER,
        "finished_at": now,
    }
    return deliveries.document(_row(row))


def _row(columns: dict[str, Any]) -> Row[Any]:
    return cast("Row[Any]", SimpleNamespace(**columns))


_OTHERS: Mapping[str, Callable[[int], dict[str, Any]]] = {
    "subscriber.failing": _failing,
    "subscriber.disabled": _disabled,
    "delivery.dead": _dead,
}
