"""DashScope: asked until it has an answer, and never paid twice."""

import json
from typing import Any

from e2e import dashscope
from e2e.eventually import eventually
from e2e.scene import Hook, Scene
from e2e.wire import CUT, Reply

MODEL = "flux-schnell"


def done(task_id: str) -> Reply:
    return dashscope.succeeded(task_id, {})


def types(timeline: list[dict[str, Any]]) -> list[str]:
    return [entry["type"] for entry in timeline]


def test_running_is_told_to_who_asked(house: Scene, hook: Hook, prompt: str) -> None:
    quiet = house.subscribe(events=None)
    steps = [dashscope.task("t-steps", "RUNNING"), done("t-steps")]
    house.dashscope.script.write(prompt, submit=[dashscope.task("t-steps", "PENDING")], fetch=steps)
    job = house.api.submit(MODEL, prompt)
    hook.notified(job["id"], "job.succeeded")
    quiet.notified(job["id"], "job.succeeded")
    assert hook.events(job["id"]) == ["job.submitted", "job.running", "job.succeeded"]
    assert [one["data"]["status"] for one in hook.verified(job["id"])] == ["pending", "running", "succeeded"]
    assert quiet.events(job["id"]) == ["job.succeeded"]
    assert house.dashscope.script.queries[prompt] == 2
    (callback,) = house.api.all("/callbacks", job_id=job["id"])
    assert callback["verdict"] == "accepted", "what was found by asking came in by the same door"
    story = house.api.timeline(job["id"])
    assert types(story)[0] == "created"
    assert {"submitted", "running", "callback", "notification", "delivery", "attempt"} <= set(types(story))
    assert [entry["at"] for entry in story] == sorted(entry["at"] for entry in story)
    house.api("DELETE", f"/subscribers/{quiet.id}", expect=204)


def test_a_provider_that_refuses_connections_is_tried_again(house: Scene, hook: Hook, prompt: str) -> None:
    with house.dashscope.wire.refusing():
        job = house.api.submit(MODEL, prompt)
        eventually(lambda: "put_back" in types(house.api.timeline(job["id"])))
        assert house.dashscope.script.submissions[prompt] == 0
    hook.notified(job["id"], "job.succeeded")
    assert house.dashscope.script.submissions[prompt] == 1


def test_an_answer_that_never_comes_is_not_asked_for_twice(house: Scene, hook: Hook, prompt: str) -> None:
    house.dashscope.script.write(prompt, submit=[CUT])
    job = house.api.submit(MODEL, prompt)
    told = hook.notified(job["id"], "job.unconfirmed")
    assert (told["status"], told["task_id"], told["finished_at"]) == ("unconfirmed", None, None)
    assert told["error"]["code"] == "Unreachable"
    later = house.api.submit(MODEL, f"{prompt}, later")
    hook.notified(later["id"], "job.succeeded")
    assert house.dashscope.script.submissions[prompt] == 1
    again = house.api("POST", f"/jobs/{job['id']}/resubmit", expect=202)
    assert again["resubmit_of"] == job["id"]
    hook.notified(again["id"], "job.succeeded")
    assert house.dashscope.script.submissions[prompt] == 2, "once by us, once more by a person"
    assert house.api.job(job["id"])["status"] == "unconfirmed"


def test_queries_that_fail_are_repeated(house: Scene, hook: Hook, prompt: str) -> None:
    stumbles = [Reply(502, b"<html>Bad Gateway</html>"), CUT, done("t-stumbles")]
    house.dashscope.script.write(prompt, submit=[dashscope.task("t-stumbles", "PENDING")], fetch=stumbles)
    job = house.api.submit(MODEL, prompt)
    hook.notified(job["id"], "job.succeeded", within=30)
    assert house.dashscope.script.queries[prompt] == 3


def test_a_page_of_html_in_answer_to_a_submission(house: Scene, hook: Hook, prompt: str) -> None:
    house.dashscope.script.write(prompt, submit=[Reply(502, b"<html>Bad Gateway</html>")])
    job = house.api.submit(MODEL, prompt)
    assert hook.notified(job["id"], "job.unconfirmed")["error"]["code"] == "HTTP 502"
    assert house.dashscope.script.submissions[prompt] == 1


def test_a_job_that_waits_at_the_provider_can_be_canceled(house: Scene, hook: Hook, prompt: str) -> None:
    waiting = dashscope.task("t-waiting", "PENDING")
    house.dashscope.script.write(prompt, submit=[waiting], fetch=[waiting])
    job = house.api.submit(MODEL, prompt)
    house.api.reached(job["id"], "pending")
    assert house.api("POST", f"/jobs/{job['id']}/cancel")["status"] == "canceled"
    assert hook.notified(job["id"], "job.canceled")["status"] == "canceled"
    house.api("POST", f"/jobs/{job['id']}/cancel")
    assert hook.events(job["id"]).count("job.canceled") == 1


def test_the_same_key_is_the_same_job(house: Scene, hook: Hook, prompt: str) -> None:
    order = {"model": MODEL, "input": {"prompt": prompt}}
    headers = {"Idempotency-Key": prompt.encode().hex()}
    made = [house.api("POST", "/jobs", order, expect=202, headers=headers) for _ in range(3)]
    assert len({job["id"] for job in made}) == 1
    house.api("POST", "/jobs", order | {"metadata": {"other": 1}}, expect=422, headers=headers)
    hook.notified(made[0]["id"], "job.succeeded")
    assert house.api("POST", "/jobs", order, expect=202, headers=headers)["status"] == "succeeded"
    assert house.dashscope.script.submissions[prompt] == 1


def test_raw_bodies_are_kept_as_they_came(house: Scene, hook: Hook, prompt: str) -> None:
    odd = json.dumps({"output": {"task_id": "t-odd", "task_status": "SUCCEEDED", "results": [{"url": "猫"}]}}, indent=3)
    answer = Reply(200, odd.encode(), (("Content-Type", "application/json"),))
    house.dashscope.script.write(prompt, submit=[dashscope.task("t-odd", "PENDING")], fetch=[answer])
    job = house.api.submit(MODEL, prompt)
    hook.notified(job["id"], "job.succeeded")
    (callback,) = house.api.all("/callbacks", task_id="t-odd")
    assert house.api("GET", f"/callbacks/{callback['id']}")["body"] == odd
