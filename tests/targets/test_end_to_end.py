"""A running server, and jobs that say whom they tell."""

import itertools
from typing import Any

from e2e.eventually import eventually
from e2e.scene import Hook, Scene
from e2e.wire import Reply

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwAAAAAAAA"
_numbers = itertools.count(1)


def submitted(house: Scene, *replies: Reply | None, **fields: Any) -> tuple[dict[str, Any], Hook]:
    """A job with a URL of its own that answers so, and what comes in there."""
    path = f"/one-off/{next(_numbers)}"
    house.listener.replies[path] = list(replies)
    job = house.api.submit("flux-schnell", f"targets {path}", notify_url=house.listener.wire.url + path, **fields)
    notify = job["notify"]
    return job, Hook({"id": notify["subscriber_id"], "secret": notify["secret"]}, path, house.listener)


def test_both_libraries_accept_what_a_notify_url_gets_and_others_get_it_too(house: Scene) -> None:
    hook = house.subscribe(events=["job.succeeded"])
    job, own = submitted(house)
    told = own.notified(job["id"], "job.succeeded")
    assert hook.notified(job["id"], "job.succeeded") == told
    shown = house.api.job(job["id"])
    assert told == shown | {"sequence": told["sequence"]}
    assert "notify" not in shown
    assert own.document["secret"] != hook.document["secret"]
    house.api("DELETE", f"/subscribers/{hook.id}", expect=204)


def test_subscribers_empty_tells_nobody_else(house: Scene) -> None:
    hook = house.subscribe()
    job, own = submitted(house, subscribers=[], notify_secret=SECRET)
    assert own.document["secret"] == SECRET
    assert own.notified(job["id"], "job.succeeded")["status"] == "succeeded"
    deliveries = house.api.all("/deliveries", job_id=job["id"])
    assert [(one["subscriber_id"], one["type"]) for one in deliveries] == [(own.id, "job.succeeded")]
    assert hook.requests(job["id"]) == []
    house.api("DELETE", f"/subscribers/{hook.id}", expect=204)


def test_only_those_named_are_told(house: Scene) -> None:
    named, other = house.subscribe(events=["job.succeeded"], filter={"model": "none"}), house.subscribe()
    job = house.api.submit("flux-schnell", "targets, named", subscribers=[named.id])
    named.notified(job["id"], "job.succeeded")
    assert {one["subscriber_id"] for one in house.api.all("/deliveries", job_id=job["id"])} == {named.id}
    for hook in (named, other):
        house.api("DELETE", f"/subscribers/{hook.id}", expect=204)


def test_a_failing_url_is_tried_again_and_410_is_the_end_of_it_alone(house: Scene) -> None:
    job, own = submitted(house, Reply(500), subscribers=[])
    other_job, other = submitted(house, Reply(410), subscribers=[])

    def look() -> bool:
        ends = {one.id: house.api("GET", f"/subscribers/{one.id}")["enabled"] for one in (own, other)}
        assert ends == {own.id: True, other.id: False}
        deliveries = house.api.all("/deliveries", job_id=job["id"])
        assert [(one["status"], one["attempt_count"]) for one in deliveries] == [("delivered", 2)]
        return True

    eventually(look)
    assert len({request.headers["webhook-id"] for request in own.requests(job["id"])}) == 1
    house.api("DELETE", f"/jobs/{other_job['id']}", expect=204)
    house.api("GET", f"/subscribers/{other.id}", expect=404)


def test_a_batch_tells_each_its_own(house: Scene) -> None:
    paths = [f"/one-off/{next(_numbers)}" for _ in range(20)]
    orders = [
        {"model": "flux-schnell", "input": {"prompt": f"targets {path}"}, "subscribers": []}
        | {"notify_url": house.listener.wire.url + path}
        for path in paths
    ]
    made = house.api("POST", "/jobs/batch", {"jobs": orders}, expect=202)["data"]
    for job, path in zip(made, paths, strict=True):
        own = Hook({"id": job["notify"]["subscriber_id"], "secret": job["notify"]["secret"]}, path, house.listener)
        assert own.notified(job["id"], "job.succeeded")["id"] == job["id"]
        assert own.events(job["id"]) == ["job.succeeded"]
