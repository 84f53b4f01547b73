"""What the API answers, in the shapes of its contract."""

from typing import Any

JOB: dict[str, Any] = {
    "id": "job_1",
    "provider": "dashscope",
    "model": "stable-diffusion-3.5-large",
    "status": "succeeded",
    "task_id": "t-1",
    "input": {"prompt": "一只奔跑的猫 [bold]"},
    "parameters": {"n": 2},
    "metadata": {"order": 7},
    "results": [
        {"url": "https://images.example.com/1.png", "error": None, "artifact": None},
        {"url": None, "error": {"code": "InternalError", "message": "no luck"}, "artifact": None},
    ],
    "metrics": {"total": 2, "succeeded": 1, "failed": 1},
    "usage": {"image_count": 1},
    "error": None,
    "warnings": ["size is unusual."],
    "created_at": "2026-01-31T12:00:00.000Z",
    "submitted_at": "2026-01-31T12:00:01.000Z",
    "finished_at": "2026-01-31T12:00:09.000Z",
    "resubmit_of": None,
}
QUEUED = {**JOB, "status": "queued", "task_id": None, "results": [], "warnings": [], "finished_at": None}
FAILED = {**QUEUED, "status": "failed", "error": {"code": "DataInspectionFailed", "message": "not this"}}

SUBSCRIBER: dict[str, Any] = {
    "id": "sub_1",
    "url": "https://example.com/hook",
    "events": ["job.succeeded"],
    "description": "shop",
    "headers": ["X-Shop"],
    "metadata": {},
    "enabled": True,
    "disabled_reason": None,
    "max_in_flight": 10,
    "rate_limit": None,
    "filter": None,
    "payload": "full",
    "schedule": None,
    "signature": "v1",
    "public_key": None,
    "created_at": "2026-01-31T12:00:00.000Z",
    "health": {"state": "failing", "consecutive_failures": 3, "failing_since": None, "paused_until": None},
}
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

CALLBACK: dict[str, Any] = {
    "id": "cb_1",
    "job_id": "job_1",
    "task_id": "t-1",
    "provider": "acedata",
    "verdict": "accepted",
    "received_at": "2026-01-31T12:00:09.000Z",
    "headers": {"content-type": "application/json"},
    "body": '{"success": true, "prompt": "\u001b[31m一只猫"}',
}

DELIVERY: dict[str, Any] = {
    "id": "dlv_1",
    "notification_id": "ntf_1",
    "subscriber_id": "sub_1",
    "job_id": "job_1",
    "type": "job.succeeded",
    "status": "dead",
    "attempt_count": 1,
    "next_attempt_at": None,
    "last_error": "status 500",
    "created_at": "2026-01-31T12:00:09.000Z",
    "finished_at": "2026-01-31T12:00:10.000Z",
}
ATTEMPT: dict[str, Any] = {
    "id": "att_1",
    "number": 1,
    "trigger": "schedule",
    "started_at": "2026-01-31T12:00:09.500Z",
    "duration_ms": 120,
    "status_code": 500,
    "error_class": "status",
    "error": "the subscriber answered 500",
    "response_excerpt": "oops",
    "request_headers": {"webhook-id": "ntf_1", "x-shop": "…"},
    "response_headers": {"server": "shop/2"},
    "timing": {"dns": 3, "connect": 5, "tls": None, "response": 112},
}

NOTIFICATION: dict[str, Any] = {
    "id": "ntf_1",
    "job_id": "job_1",
    "type": "job.succeeded",
    "timestamp": "2026-01-31T12:00:09.000Z",
    "data": {**JOB, "sequence": 1},
    "created_at": "2026-01-31T12:00:09.000Z",
}

TIMELINE = {
    "data": [
        {"at": "2026-01-31T12:00:00.000Z", "type": "job.created", "summary": "recorded"},
        {"at": "2026-01-31T12:00:09.000Z", "type": "callback", "summary": "accepted from the poller"},
    ]
}


def page(*rows: dict[str, Any], cursor: str | None = None) -> dict[str, Any]:
    return {"data": list(rows), "next_cursor": cursor}
