"""What the API answers has exactly the fields that its documentation names, and every error the same form."""

from typing import Any

import pytest
from e2e.eventually import eventually
from e2e.scene import Hook, Scene
from e2e.test_jobs import JOB

SUBSCRIBER = {
    "id", "url", "events", "description", "headers", "metadata", "enabled", "disabled_reason", "max_in_flight",
    "rate_limit", "created_at", "filter", "payload", "schedule", "signature", "public_key", "health",
}  # fmt: skip
CALLBACK = {"id", "job_id", "task_id", "provider", "verdict", "received_at"}
DELIVERY = {
    "id", "notification_id", "subscriber_id", "job_id", "type", "status", "attempt_count", "next_attempt_at",
    "last_error", "created_at", "finished_at",
}  # fmt: skip
ATTEMPT = {
    "id", "number", "trigger", "started_at", "duration_ms", "status_code", "error_class", "error", "response_excerpt",
    "request_headers", "response_headers", "timing",
}  # fmt: skip
DEFAULT_EVENTS = ["job.succeeded", "job.failed", "job.canceled", "job.lost", "job.unconfirmed"]


@pytest.fixture
def job(house: Scene, hook: Hook, prompt: str) -> dict[str, Any]:
    """A job that has succeeded, with everything that follows from it."""
    job = house.api.submit("flux-kontext-pro", prompt)
    hook.notified(job["id"], "job.succeeded")

    def all_delivered() -> bool:
        statuses = [one["status"] for one in house.api.all("/deliveries", job_id=job["id"])]
        return bool(statuses) and set(statuses) == {"delivered"}

    eventually(all_delivered)
    return job


def test_every_document(house: Scene, hook: Hook, job: dict[str, Any]) -> None:
    api, mine = house.api, {"job_id": job["id"]}
    assert set(api.job(job["id"])) == JOB
    assert set(hook.document) == SUBSCRIBER | {"secret"}
    assert set(api("GET", f"/subscribers/{hook.id}")) == SUBSCRIBER
    assert all(set(one) == SUBSCRIBER for one in api.all("/subscribers"))
    (callback,) = api.all("/callbacks", **mine)
    assert set(callback) == CALLBACK
    assert set(api("GET", f"/callbacks/{callback['id']}")) == CALLBACK | {"headers", "body", "body_base64"}
    for delivery in api.all("/deliveries", **mine):
        assert set(delivery) == DELIVERY
        whole = api("GET", f"/deliveries/{delivery['id']}")
        assert set(whole) == DELIVERY | {"attempts"}
        assert all(set(attempt) == ATTEMPT for attempt in whole["attempts"])
    for notification in api.all("/notifications", **mine):
        assert {"id", "job_id", "type", "timestamp", "data"} <= set(notification)
        assert set(notification["data"]) == JOB | {"sequence"}
        assert api("GET", f"/notifications/{notification['id']}") == notification
    assert all({"at", "type", "summary"} <= set(entry) for entry in api.timeline(job["id"]))


def test_ids_and_times(house: Scene, hook: Hook, job: dict[str, Any]) -> None:
    prefixes = {
        "jobs": "job_",
        "subscribers": "sub_",
        "callbacks": "cb_",
        "notifications": "ntf_",
        "deliveries": "dlv_",
    }
    for name, prefix in prefixes.items():
        ids = [row["id"] for row in house.api.all(f"/{name}")]
        assert all(one.startswith(prefix) and len(one) == len(prefix) + 26 for one in ids)
        assert ids == sorted(ids, reverse=True), "newest first"
    assert all(job[name] is None or job[name].endswith("Z") for name in ("created_at", "submitted_at", "finished_at"))


def test_pages(house: Scene, hook: Hook, job: dict[str, Any]) -> None:
    whole = house.api.all("/notifications")
    paged = house.api.all("/notifications", limit=1)
    assert [one["id"] for one in paged] == [one["id"] for one in whole]


def test_a_subscriber_without_events(house: Scene) -> None:
    made = house.api("POST", "/subscribers", {"url": house.listener.wire.url, "headers": {"X-A": "b"}}, expect=201)
    assert (made["events"], made["headers"], made["enabled"]) == (DEFAULT_EVENTS, ["X-A"], True)
    assert made["secret"].startswith("whsec_")
    house.api("DELETE", f"/subscribers/{made['id']}", expect=204)
    house.api("GET", f"/subscribers/{made['id']}", expect=404)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "pointer"),
    [
        ("POST", "/v1/jobs", {"model": "flux-schnell", "input": {}}, 422, "/input/prompt"),
        ("POST", "/v1/jobs", {"model": "flux-schnell", "input": {"prompt": 7}}, 422, "/input/prompt"),
        ("POST", "/v1/jobs", {"model": "flux-schnell"}, 422, "/input"),
        ("POST", "/v1/jobs", {"model": "nobody-has-it", "input": {"prompt": "x"}}, 422, "/model"),
        ("POST", "/v1/jobs", {"model": "x", "provider": "nobody", "input": {"prompt": "x"}}, 422, "/provider"),
        ("POST", "/v1/jobs", {"model": "flux-schnell", "input": {"prompt": "x"}, "parameters": []}, 422, "/parameters"),
        ("POST", "/v1/jobs", {"model": "flux-schnell", "input": {"prompt": "x" * 2_000_000}}, 413, None),
        ("POST", "/v1/subscribers", {"url": "ftp://x"}, 422, "/url"),
        ("POST", "/v1/subscribers", {"url": "http://x.example", "events": ["job.other"]}, 422, "/events/0"),
        ("GET", "/v1/jobs?cursor=x", None, 400, None),
        ("GET", "/v1/jobs?limit=251", None, 422, None),
        ("GET", "/v1/jobs/job_x", None, 404, None),
        ("GET", "/v1/nothing", None, 404, None),
        ("PUT", "/v1/jobs", None, 405, None),
    ],
)
def test_bad_input(house: Scene, method: str, path: str, body: Any, status: int, pointer: str | None) -> None:
    before = house.api("GET", "/jobs?limit=1")
    answer = house.api.http.request(method, path, json=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert {"type", "title", "status", "detail"} <= set(problem)
    assert problem["status"] == status
    if pointer is not None:
        assert pointer in [error["pointer"] for error in problem["errors"]]
    assert house.api("GET", "/jobs?limit=1") == before, "nothing is half-written"


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", "Basic eDp5"])
def test_no_key_no_answer(house: Scene, header: str) -> None:
    for path in ("/v1/jobs", "/v1/subscribers", "/v1/deliveries"):
        answer = house.api.http.get(path, headers={"Authorization": header})
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    for path in ("/healthz", "/readyz", "/openapi.json", "/docs"):
        assert house.api.http.get(path, headers={"Authorization": header}).status_code == 200
