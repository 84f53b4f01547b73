"""The programs that submit, against a real server with a simulated provider."""

import os
import re
import runpy
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import httpx2 as httpx
import pytest
from e2e.api import Api
from e2e.eventually import eventually
from e2e.server import Server, free_port
from verify.messages import SECRET

from .programs import EXAMPLES, RECEIVING, running

JOBS = str(EXAMPLES / "batch" / "jobs.jsonl")


def submit(server: Server, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": os.environ["PATH"], "POSTBACK_URL": server.url, "POSTBACK_API_KEY": server.key}
    command = [sys.executable, str(EXAMPLES / program), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", timeout=60)


def ids(ended: "subprocess.CompletedProcess[str]") -> list[str]:
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout.split()


def test_submit_and_forget_comes_back_as_a_webhook(server: Server, api: Api, tmp_path: Path) -> None:
    with running(RECEIVING["with_starlette.py"], tmp_path / "copy") as endpoint:
        subscriber = api("POST", "/subscribers", {"url": endpoint.url, "secret": SECRET}, expect=201)["id"]
        [job] = ids(submit(server, "submit_and_forget.py", "order-7", "a red fox [delay=100ms]"))
        again = ids(submit(server, "submit_and_forget.py", "order-7", "a red fox [delay=100ms]"))
        eventually(lambda: api.all("/deliveries", subscriber_id=subscriber, status="delivered"), within=30)
        told, image = endpoint.handled()
    assert again == [job]
    assert api.job(job)["metadata"] == {"order": "order-7"}
    assert told == f"job.succeeded {job} succeeded"
    assert image.strip().startswith("http")


def test_a_refusal_is_told(server: Server) -> None:
    ended = submit(server, "submit_and_forget.py", "order 8", "")
    assert ended.returncode == 1
    assert ended.stderr.startswith("Refused: ")
    assert "/input/prompt" in ended.stderr


def test_nobody_there_is_told(tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "POSTBACK_URL": f"http://127.0.0.1:{free_port()}",
        "POSTBACK_API_KEY": "k",
    }
    command = [sys.executable, str(EXAMPLES / "batch" / "submit_batch.py"), JOBS]
    ended = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", timeout=60)
    assert ended.returncode == 1
    assert ended.stderr.startswith("No answer from http://127.0.0.1:")


Answer = httpx.Response | httpx.TransportError
AWAY, BUSY = httpx.ConnectError("refused"), httpx.Response(503)
TAKEN, WRONG = httpx.Response(202, json={"id": "job_1"}), httpx.Response(422)


@pytest.mark.parametrize(
    ("answers", "tries", "job"),
    [
        ([TAKEN], 1, "job_1"),
        ([AWAY, BUSY, TAKEN], 3, "job_1"),
        ([WRONG], 1, None),
        ([BUSY], 5, None),
        ([AWAY], 5, None),
    ],
    ids=["at once", "later", "wrong", "busy for ever", "away for ever"],
)
def test_what_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, answers: list[Answer], tries: int, job: str | None
) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        match answers[min(len(asked), len(answers)) - 1]:
            case httpx.Response() as response:
                return response
            case error:
                raise error

    monkeypatch.setattr(time, "sleep", lambda _: None)
    program = runpy.run_path(str(EXAMPLES / "submit_and_forget.py"))
    with httpx.Client(base_url="http://postback", transport=httpx.MockTransport(answer)) as api:
        with nullcontext() if job else pytest.raises(httpx.HTTPError):
            assert program["submit"](api, "order-9", "a fox")["id"] == job
    assert [request.headers["idempotency-key"] for request in asked] == ["order-9"] * tries
    assert len({request.headers["traceparent"] for request in asked}) == 1
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", asked[0].headers["traceparent"])


def test_the_batch_is_submitted_once(server: Server, api: Api) -> None:
    jobs = ids(submit(server, "batch/submit_batch.py", JOBS))
    assert len(set(jobs)) == len(Path(JOBS).read_text("utf-8").splitlines())
    assert ids(submit(server, "batch/submit_batch.py", JOBS)) == jobs
    assert {api.job(job)["metadata"]["series"] for job in jobs} == {"animals"}


def test_a_batch_with_a_bad_line_is_refused_whole(server: Server, api: Api, tmp_path: Path) -> None:
    before = len(api.all("/jobs"))
    bad = tmp_path / "jobs.jsonl"
    bad.write_text(Path(JOBS).read_text("utf-8").replace("animals-", "more-") + '{"model": "flux-dev", "input": {}}\n')
    ended = submit(server, "batch/submit_batch.py", str(bad))
    assert ended.returncode == 1
    assert "/jobs/3/input/prompt" in ended.stderr
    assert len(api.all("/jobs")) == before
