"""AceData: callbacks that come, come early, come often, come never, and those that are forged."""

import json
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from e2e import acedata
from e2e.eventually import eventually
from e2e.scene import Hook, Scene, opened
from e2e.wire import Stage, reply

MODEL = "flux-kontext-pro"


def post(url: str, document: Any) -> httpx.Response:
    return httpx.post(url, json=document, timeout=10, trust_env=False)


def verdicts(house: Scene, job_id: str) -> list[str]:
    """Of all callbacks that were kept, oldest first."""
    return [one["verdict"] for one in reversed(house.api.all("/callbacks", job_id=job_id))]


def test_its_callback_is_enough(house: Scene, hook: Hook, prompt: str) -> None:
    job = house.api.submit(MODEL, prompt)
    hook.notified(job["id"], "job.succeeded")
    assert [answer.json() for answer in house.acedata.answers[prompt]] == [{"verdict": "accepted"}]
    (callback,) = house.api.all("/callbacks", job_id=job["id"])
    kept = house.api("GET", f"/callbacks/{callback['id']}")
    assert json.loads(kept["body"])["success"] is True
    assert kept["headers"]["content-type"] == "application/json"
    assert kept["body_base64"] is None


def test_a_callback_before_the_answer_to_the_submission(house: Scene, hook: Hook, prompt: str) -> None:
    body = acedata.outcome("t-early")
    house.acedata.script.write(prompt, submit=[reply({"task_id": "t-early"})])
    house.acedata.calls_back(prompt, json.dumps(body).encode(), early=True)
    job = house.api.submit(MODEL, prompt)
    hook.notified(job["id"], "job.succeeded")
    eventually(lambda: house.acedata.answers[prompt])
    now = house.api.job(job["id"])
    assert (now["status"], now["task_id"]) == ("succeeded", "t-early")
    assert hook.events(job["id"]) == ["job.succeeded"]
    assert house.acedata.script.submissions[prompt] == 1


def test_a_callback_that_does_not_come_is_asked_for(house: Scene, hook: Hook, prompt: str) -> None:
    house.acedata.calls_back(prompt)
    job = house.api.submit(MODEL, prompt, parameters={"count": 2})
    assert len(hook.notified(job["id"], "job.succeeded")["results"]) == 2
    assert verdicts(house, job["id"]) == ["accepted"]


def test_an_answer_that_is_the_result(house: Scene, hook: Hook, prompt: str) -> None:
    house.acedata.script.write(prompt, submit=[reply(acedata.outcome("t-at-once"))])
    job = house.api.submit(MODEL, prompt)
    told = hook.notified(job["id"], "job.succeeded")
    assert (told["task_id"], told["results"][0]["url"]) == ("t-at-once", "https://cdn.example/t-at-once/0.png")
    assert verdicts(house, job["id"]) == ["accepted"]


def test_twenty_callbacks_at_once_are_one_result(house: Scene, hook: Hook, prompt: str) -> None:
    house.acedata.script.write(prompt, submit=[reply({"task_id": "t-often"})])
    house.acedata.calls_back(prompt, *[json.dumps(acedata.outcome("t-often")).encode()] * 20)
    job = house.api.submit(MODEL, prompt)
    eventually(lambda: len(house.acedata.answers[prompt]) == 20)
    said = sorted(answer.json()["verdict"] for answer in house.acedata.answers[prompt])
    assert said == ["accepted"] + ["duplicate"] * 19
    assert sorted(verdicts(house, job["id"])) == ["accepted"] + ["duplicate"] * 10, "ten copies are kept"
    hook.notified(job["id"], "job.succeeded")
    assert hook.events(job["id"]).count("job.succeeded") == 1
    assert [one["type"] for one in house.api.all("/notifications", job_id=job["id"])].count("job.succeeded") == 1


def test_a_late_callback_that_tells_another_story(house: Scene, hook: Hook, prompt: str) -> None:
    job = house.api.submit(MODEL, prompt)
    told = hook.notified(job["id"], "job.succeeded")
    url = house.acedata.callback_url(prompt)
    before = house.api.job(job["id"])
    assert post(url, acedata.failure(told["task_id"])).json() == {"verdict": "conflicting"}
    assert post(url, {"task_id": told["task_id"]}).json() == {"verdict": "progress"}
    assert post(url, acedata.outcome("t-another")).status_code == 400
    assert post(url, ["no", "object"]).status_code == 400
    assert verdicts(house, job["id"]) == ["accepted", "conflicting", "progress", "invalid", "invalid"]
    assert house.api.job(job["id"]) == before
    assert len(house.api.all("/notifications", job_id=job["id"])) == len(hook.events(job["id"]))


def test_forged_tokens_and_jobs_that_are_gone(house: Scene, hook: Hook, prompt: str) -> None:
    job = house.api.submit(MODEL, prompt)
    told = hook.notified(job["id"], "job.succeeded")
    eventually(lambda: not house.api.all("/deliveries", job_id=job["id"], status="delivering"))
    base, token = house.acedata.callback_url(prompt).rsplit("/", 1)
    body, signed_at, signature = token.split(".")
    swapped = "A" if signature[0] != "A" else "B"
    forged = [
        "x",
        "...",
        token[:-4],
        f"{body}.{signed_at}.{swapped}{signature[1:]}",
        f"{body[:-2]}AA.{signed_at}.{signature}",
        f"{body}.AAAA.{signature}",
        token.swapcase(),
        "é" * 40,
    ]
    refused = [post(f"{base}/{one}", acedata.outcome(told["task_id"])) for one in forged]
    house.api("DELETE", f"/jobs/{job['id']}", expect=204)
    refused.append(post(f"{base}/{token}", acedata.outcome(told["task_id"])))
    assert {answer.status_code for answer in refused} == {404}
    assert len({answer.content for answer in refused}) == 1, "nothing tells why"
    assert len({tuple(sorted(set(answer.headers) - {"date"})) for answer in refused}) == 1
    house.api("GET", f"/jobs/{job['id']}", expect=404)


@pytest.mark.parametrize(("said", "event"), [("success", "job.succeeded"), ("failure", "job.failed")])
def test_truth_beats_a_guess(house: Scene, hook: Hook, prompt: str, said: str, event: str) -> None:
    """An unconfirmed job is settled by a late callback, and told of again."""
    house.acedata.script.write(prompt, submit=[None])
    job = house.api.submit(MODEL, prompt)
    assert hook.notified(job["id"], "job.unconfirmed")["sequence"] == 1
    body = acedata.outcome("t-late") if said == "success" else acedata.failure("t-late")
    assert post(house.acedata.callback_url(prompt), body).json() == {"verdict": "accepted"}
    told = hook.notified(job["id"], event)
    assert (told["sequence"], told["task_id"]) == (2, "t-late")
    assert house.acedata.script.submissions[prompt] == 1


def test_a_deadline_and_what_comes_after_it(stage: Stage, tmp_path: Path, sqlite_url: str) -> None:
    with opened(stage, tmp_path, sqlite_url, POSTBACK_JOB_DEADLINE="1s", POSTBACK_ACEDATA_POLL_AFTER="1h") as house:
        hook = house.subscribe()
        house.acedata.calls_back("slow")
        house.acedata.script.write("slow", submit=[reply({"task_id": "t-slow"})], fetch=[acedata.record("t-slow")])
        job = house.api.submit(MODEL, "slow")
        lost = hook.notified(job["id"], "job.lost")
        assert lost["error"]["code"] == "Lost"
        assert post(house.acedata.callback_url("slow"), acedata.outcome(lost["task_id"])).status_code == 200
        assert hook.notified(job["id"], "job.succeeded")["error"] is None
        assert hook.events(job["id"]) == ["job.submitted", "job.lost", "job.succeeded"]


def test_a_provider_that_could_never_call_us(stage: Stage, tmp_path: Path, sqlite_url: str) -> None:
    """Our public URL is loopback and the provider is elsewhere: here, behind a proxy, because tests have no network."""
    away: dict[str, Any] = {"ACEDATA_BASE_URL": "http://api.acedata.example", "HTTP_PROXY": "{acedata}"}
    with opened(stage, tmp_path, sqlite_url, **away) as house:
        hook = house.subscribe()
        job = house.api.submit(MODEL, "a cat")
        hook.notified(job["id"], "job.succeeded")
        order = house.acedata.request_of("a cat").json
        assert order["async"] is True
        assert "callback_url" not in order
        assert house.acedata.script.queries["a cat"] >= 1
