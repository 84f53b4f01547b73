"""What came in: stored as received but for our own tokens, judged once, copies kept up to ten."""

import asyncio
import base64
import json
from urllib.parse import quote

import pytest
from builders import pending

from ledger import jobs

from .stage import Stage, finished

pytestmark = pytest.mark.anyio

SUMMARY = {"id", "job_id", "task_id", "provider", "verdict", "received_at"}


async def test_a_callback_is_shown_as_received(both: Stage) -> None:
    job = await pending(both.ledger, "task-a")
    body = json.dumps(finished("task-a") | {"prompt": "猫 \u2028"}, ensure_ascii=False, indent=1).encode()
    raw = [(b"Content-Type", b"application/json"), (b"X-Twice", b"1"), (b"x-twice", b"2"), (b"X-Latin", b"\xe9")]
    answer = await both.anyone.post(both.callback_path(job), content=body, headers=raw)
    assert (answer.status_code, answer.json()) == (200, {"verdict": "accepted"})
    [listed] = (await both.get("/v1/callbacks"))["data"]
    assert set(listed) == SUMMARY
    assert (listed["job_id"], listed["task_id"], listed["provider"]) == (job.id, "task-a", "dashscope")
    callback = await both.get(f"/v1/callbacks/{listed['id']}")
    assert set(callback) == SUMMARY | {"headers", "body", "body_base64"}
    assert {name: callback[name] for name in SUMMARY} == listed
    assert (callback["body"].encode(), callback["body_base64"]) == (body, None)
    assert callback["headers"]["x-twice"] == "1, 2"
    assert callback["headers"]["x-latin"] == "é"
    assert callback["headers"]["content-type"] == "application/json"
    job_now = await both.get(f"/v1/jobs/{job.id}")
    assert job_now["status"] == "succeeded"
    assert job_now["results"] == [{"url": "https://images.example/1.png?sign=a", "error": None, "artifact": None}]
    assert job_now["usage"] == {"image_count": 1}


async def test_a_body_that_is_no_text_is_shown_in_base64(both: Stage) -> None:
    job = await pending(both.ledger, "task-a")
    body = b"\xff\xfe\x00 not text"
    assert (await both.calls_back(job, body)).status_code == 400
    [kept] = await both.ids("/v1/callbacks")
    callback = await both.get(f"/v1/callbacks/{kept}")
    assert (callback["body"], base64.b64decode(callback["body_base64"])) == (None, body)


async def test_our_tokens_are_blanked_in_body_and_headers(both: Stage) -> None:
    job = await pending(both.ledger, "task-a")
    path = both.callback_path(job)
    token = path.removeprefix("/callbacks/")
    url = f"https://postback.test{path}"
    echo = finished("task-a") | {
        "callback_url": url,
        "note": f"{token} and {token}",
        "escaped": "ESCAPED",
        "quoted": quote(url, ""),
    }
    body = json.dumps(echo).replace("ESCAPED", url.replace("/", "\\/")).encode()
    headers = {"content-type": "application/json", "referer": url, "x-callback-token": token, "x-other": "a.b.c" * 30}
    assert (await both.anyone.post(path, content=body, headers=headers)).status_code == 200
    [kept] = await both.ids("/v1/callbacks")
    shown = await both.client.get(f"/v1/callbacks/{kept}")
    callback = shown.json()
    assert token not in shown.text
    assert json.loads(callback["body"])["callback_url"] == "https://postback.test/callbacks/[callback token]"
    assert callback["body"].count("[callback token]") == 5
    assert callback["headers"]["referer"] == "https://postback.test/callbacks/[callback token]"
    assert callback["headers"]["x-callback-token"] == "[callback token]"
    assert callback["headers"]["x-other"] == headers["x-other"]
    again = await both.anyone.post(path, content=body, headers=headers)
    assert again.json() == {"verdict": "duplicate"}


async def test_each_verdict(both: Stage) -> None:
    await both.listener()
    job = await pending(both.ledger, "task-a")
    running = {"output": {"task_id": "task-a", "task_status": "RUNNING"}}
    failed = {"output": {"task_id": "task-a", "task_status": "FAILED", "code": "No", "message": "no"}}
    signed_again = finished("task-a", "https://images.example/1.png?sign=b") | {"request_id": "r-2"}
    story = [
        (running, 200, "progress"),
        (finished("task-a"), 200, "accepted"),
        (signed_again, 200, "duplicate"),
        (finished("task-a", "https://images.example/2.png"), 200, "conflicting"),
        (failed, 200, "conflicting"),
        (running, 200, "progress"),
        ([], 400, "invalid"),
    ]
    for body, status, verdict in story:
        answer = await both.calls_back(job, body)
        assert answer.status_code == status
        if status == 200:
            assert answer.json() == {"verdict": verdict}
    listed = (await both.get("/v1/callbacks"))["data"]
    assert [one["verdict"] for one in listed] == [verdict for *_, verdict in story][::-1]
    assert len(await both.ids("/v1/notifications")) == 1
    assert (await both.get(f"/v1/jobs/{job.id}"))["results"][0]["url"].endswith("1.png?sign=a")


async def test_a_callback_before_the_submit_response_finds_its_job(both: Stage) -> None:
    job = await both.submit()
    assert (await both.calls_back(job["id"], finished("task-z"))).json() == {"verdict": "accepted"}
    after = await both.get(f"/v1/jobs/{job['id']}")
    assert (after["status"], after["task_id"]) == ("succeeded", "task-z")


async def test_1000_duplicates_at_once_are_one_transition(both: Stage) -> None:
    await both.listener()
    job = await pending(both.ledger, "task-a")
    answers = await asyncio.gather(*(both.calls_back(job, finished("task-a")) for _ in range(1_000)))
    assert {answer.status_code for answer in answers} == {200}
    verdicts = [answer.json()["verdict"] for answer in answers]
    assert (verdicts.count("accepted"), verdicts.count("duplicate")) == (1, 999)
    assert len(await both.ids("/v1/notifications")) == 1
    assert len(await both.ids("/v1/deliveries")) == 1
    assert len(await both.ids("/v1/callbacks", limit=250)) == 11
    assert (await both.ledger.read(jobs.get, job.id)).callback_counts == {"duplicate": 999}


async def test_a_large_callback_is_kept_whole(both: Stage) -> None:
    job = await pending(both.ledger, "task-a")
    body = json.dumps(finished("task-a") | {"padding": "é" * 500_000}, ensure_ascii=False).encode()
    assert 1_000_000 < len(body) < 1024 * 1024
    assert (await both.calls_back(job, body)).status_code == 200
    [kept] = await both.ids("/v1/callbacks")
    assert (await both.get(f"/v1/callbacks/{kept}"))["body"].encode() == body
