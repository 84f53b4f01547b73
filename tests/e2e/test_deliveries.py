"""Deliveries: retried, delayed, given up, sent again, and never where they must not go."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from e2e.eventually import eventually
from e2e.listener import verified
from e2e.scene import Hook, Scene, opened
from e2e.wire import CUT, Reply, Request, Stage

MODEL = "flux-kontext-pro"
ATTEMPTS = 4


@contextmanager
def subscribed(house: Scene, *replies: Reply | None) -> Iterator[Hook]:
    """A subscriber to successes only that answers so, and is gone afterwards."""
    hook = house.subscribe(events=["job.succeeded"])
    house.listener.replies[hook.path] = list(replies)
    yield hook
    house.api("DELETE", f"/subscribers/{hook.id}", expect=204)


def ended(house: Scene, hook: Hook, status: str) -> dict[str, Any]:
    """The one delivery to that subscriber with its attempts, once it has that status."""

    def look() -> dict[str, Any]:
        found = house.api.all("/deliveries", subscriber_id=hook.id)
        assert len(found) == 1, found
        delivery: dict[str, Any] = house.api("GET", f"/deliveries/{found[0]['id']}")
        assert delivery["status"] == status, delivery
        return delivery

    return eventually(look)


def same_notification(hook: Hook, requests: list[Request]) -> None:
    """All attempts carry the same id and the same bytes, each with a signature of its own time."""
    assert len({request.headers["webhook-id"] for request in requests}) == 1
    assert len({request.body for request in requests}) == 1
    for request in requests:
        verified(request, hook.document["secret"])
        assert int(request.headers["webhook-timestamp"]) > 1_600_000_000


def seconds(earlier: str, later: str) -> float:
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


def test_tried_again_until_it_arrives(house: Scene, prompt: str) -> None:
    with subscribed(house, Reply(500, b"no", (("X", "y"),)), CUT) as hook:
        job = house.api.submit(MODEL, prompt)
        delivery = ended(house, hook, "delivered")
        told = [(one["number"], one["trigger"], one["status_code"], one["error_class"]) for one in delivery["attempts"]]
        assert told == [
            (1, "schedule", 500, "status"),
            (2, "schedule", None, "response"),
            (3, "schedule", 204, None),
        ]
        assert delivery["attempts"][0]["response_excerpt"] == "no"
        assert (delivery["attempt_count"], delivery["next_attempt_at"]) == (3, None)
        same_notification(hook, hook.requests(job["id"]))


def test_dead_in_the_end_and_redelivered(house: Scene, prompt: str) -> None:
    with subscribed(house, *[Reply(503)] * ATTEMPTS) as hook:
        job = house.api.submit(MODEL, prompt)
        delivery = ended(house, hook, "dead")
        assert [one["status_code"] for one in delivery["attempts"]] == [503] * ATTEMPTS
        assert delivery["last_error"] == "the subscriber answered HTTP 503"
        assert delivery["finished_at"]
        house.api("POST", f"/deliveries/{delivery['id']}/redeliver", expect=202)
        delivery = ended(house, hook, "delivered")
        last = delivery["attempts"][-1]
        assert (last["number"], last["trigger"], last["status_code"]) == (ATTEMPTS + 1, "manual", 204)
        same_notification(hook, hook.requests(job["id"]))
        assert len(hook.requests(job["id"])) == ATTEMPTS + 1
        house.api("POST", f"/deliveries/{delivery['id']}/redeliver", expect=202)
        eventually(lambda: len(hook.requests(job["id"])) == ATTEMPTS + 2)
        same_notification(hook, hook.requests(job["id"]))


def test_retry_after_is_waited_for(house: Scene, prompt: str) -> None:
    with subscribed(house, Reply(429, headers=(("Retry-After", "1"),))) as hook:
        house.api.submit(MODEL, prompt)
        first, second = ended(house, hook, "delivered")["attempts"]
        assert 1 <= seconds(first["started_at"], second["started_at"]) < 20


def test_retry_after_of_an_hour(house: Scene, prompt: str) -> None:
    with subscribed(house, Reply(503, headers=(("Retry-After", "3600"),))) as hook:
        house.api.submit(MODEL, prompt)
        eventually(lambda: hook.listener.at(hook.path))
        delivery = eventually(lambda: [one for one in [ended(house, hook, "pending")] if one["attempt_count"] == 1])[0]
        assert 3590 < seconds(delivery["attempts"][0]["started_at"], delivery["next_attempt_at"]) < 3620


def test_gone_disables_the_subscriber(house: Scene, prompt: str) -> None:
    with subscribed(house, Reply(410)) as hook:
        house.api.submit(MODEL, prompt)
        assert len(ended(house, hook, "dead")["attempts"]) == 1
        subscriber = house.api("GET", f"/subscribers/{hook.id}")
        assert subscriber["enabled"] is False
        assert "410" in subscriber["disabled_reason"]
        other = house.subscribe(events=["job.succeeded"])
        later = house.api.submit(MODEL, f"{prompt}, later")
        other.notified(later["id"], "job.succeeded")
        (skipped,) = [
            one for one in house.api.all("/deliveries", subscriber_id=hook.id) if one["job_id"] == later["id"]
        ]
        assert skipped["status"] == "skipped"
        assert len(hook.listener.at(hook.path)) == 1
        house.api("PATCH", f"/subscribers/{hook.id}", {"enabled": True})
        house.api("POST", f"/deliveries/{skipped['id']}/redeliver", expect=202)
        hook.notified(later["id"], "job.succeeded")


def test_redirects_are_not_followed(house: Scene, prompt: str) -> None:
    target = house.subscribe(events=["job.lost"])
    away = Reply(307, headers=(("Location", house.listener.wire.url + target.path),))
    with subscribed(house, *[away] * ATTEMPTS) as hook:
        house.api.submit(MODEL, prompt)
        delivery = ended(house, hook, "dead")
        assert [one["status_code"] for one in delivery["attempts"]] == [307] * ATTEMPTS
        assert target.listener.at(target.path) == []


def test_both_secrets_sign_while_one_replaces_the_other(house: Scene, prompt: str) -> None:
    with subscribed(house) as hook:
        fresh = house.api("POST", f"/subscribers/{hook.id}/rotate-secret", {})["secret"]
        assert fresh != hook.document["secret"]
        assert house.api("GET", f"/subscribers/{hook.id}/secret") == {"secret": fresh}
        job = house.api.submit(MODEL, prompt)
        hook.notified(job["id"], "job.succeeded")
        (request,) = hook.requests(job["id"])
        verified(request, fresh)
        assert len(request.headers["webhook-signature"].split()) == 2


def test_a_ping(house: Scene) -> None:
    with subscribed(house) as hook:
        delivery = house.api("POST", f"/subscribers/{hook.id}/test")
        assert (delivery["type"], delivery["status"]) == ("postback.ping", "delivered")
        (request,) = hook.listener.at(hook.path)
        assert verified(request, hook.document["secret"])["type"] == "postback.ping"


def test_a_private_address_is_refused_unless_allowed(stage: Stage, tmp_path: Path, sqlite_url: str) -> None:
    with opened(stage, tmp_path, sqlite_url) as house:
        with subscribed(house) as hook:
            house.server.stop()
            del house.server.env["POSTBACK_ALLOW_NETWORKS"]
            house.server.start()
            for url in (
                "http://127.0.0.1:9/",
                "http://localhost:9/",
                "http://[::1]:9/",
                "http://169.254.169.254/latest",
            ):
                refused = house.api("POST", "/subscribers", {"url": url}, expect=422)
                assert refused["errors"][0]["pointer"] == "/url"
            house.api.submit(MODEL, "a cat")
            delivery = ended(house, hook, "dead")
            assert {one["error_class"] for one in delivery["attempts"]} == {"guard"}
            assert hook.listener.at(hook.path) == []
