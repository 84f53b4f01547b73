"""`postback submit --subscriber --notify-url --notify-secret`, and the same fields in a file."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Cli
from tests.cli.samples import JOB, QUEUED, SECRET
from tests.cli.stub import Stub

URL = "https://example.com/one-off"
NOTIFY = {"notify": {"subscriber_id": "sub_9", "secret": SECRET}}


def test_they_are_sent_as_given(cli: Cli, stub: Stub) -> None:
    stub.answer("POST /v1/jobs", QUEUED | NOTIFY, status=202)
    line = f"--subscriber sub_1 --subscriber sub_2 --notify-url {URL} --notify-secret {SECRET}"
    shown = cli("submit", "flux-dev", "cat", *line.split())
    assert (shown.code, shown.out) == (0, "job_1\n")
    told = {name: stub.last.body[name] for name in ("subscribers", "notify_url", "notify_secret")}
    assert told == {"subscribers": ["sub_1", "sub_2"], "notify_url": URL, "notify_secret": SECRET}
    assert SECRET not in shown.out + shown.err, "who brought it knows it"


def test_without_them_nothing_is_sent(cli: Cli, stub: Stub) -> None:
    stub.answer("POST /v1/jobs", QUEUED, status=202)
    assert "signed" not in cli("submit", "flux-dev", "cat").err
    assert stub.last.body.keys() == {"provider", "model", "input", "parameters"}


def test_an_empty_url_is_the_servers_to_refuse(cli: Cli, stub: Stub) -> None:
    stub.refuse("POST /v1/jobs", 422, "/notify_url: is too short")
    shown = cli("submit", "flux-dev", "cat", "--notify-url", "")
    assert (shown.code, stub.last.body["notify_url"]) == (2, "")


@pytest.mark.parametrize("options", [[], ["--wait"]])
def test_a_secret_that_was_made_is_shown_once(cli: Cli, stub: Stub, options: list[str]) -> None:
    stub.answer("POST /v1/jobs", QUEUED | NOTIFY, status=202)
    stub.answer("GET /v1/jobs/job_1", JOB)
    shown = cli("submit", "flux-dev", "cat", "--notify-url", URL, *options)
    assert shown.code == 0
    assert (shown.out + shown.err).count(SECRET) == 1
    assert f"What notify_url gets is signed with {SECRET}\n" in shown.err
    assert "postback subscribers secret sub_9" in shown.err


@pytest.mark.parametrize("options", [[], ["--wait"]])
def test_json_holds_it(cli: Cli, stub: Stub, options: list[str]) -> None:
    stub.answer("POST /v1/jobs", QUEUED | NOTIFY, status=202)
    stub.answer("GET /v1/jobs/job_1", JOB)
    shown = cli("submit", "flux-dev", "cat", "--notify-url", URL, "--json", *options)
    assert shown.json == (JOB if options else QUEUED) | NOTIFY
    assert SECRET not in shown.err


def test_lines_of_a_file_have_them_too(cli: Cli, stub: Stub, tmp_path: Path) -> None:
    order: dict[str, Any] = {"model": "flux-dev", "input": {"prompt": "cat"}}
    requests = [
        order | {"notify_url": URL},
        order | {"notify_url": URL, "notify_secret": SECRET + "x"},
        order | {"subscribers": []},
    ]
    file = tmp_path / "jobs.jsonl"
    file.write_text("\n".join(map(json.dumps, requests)))
    brought = {"notify": {"subscriber_id": "sub_8", "secret": SECRET + "x"}}
    answers = [{**QUEUED, "id": f"job_{i}"} | more for i, more in enumerate((NOTIFY, brought, {}))]
    stub.answer("POST /v1/jobs/batch", {"data": answers}, status=202)
    shown = cli("submit", "--file", str(file))
    assert (shown.code, shown.out) == (0, "job_0\njob_1\njob_2\n")
    assert stub.last.body == {"jobs": requests}
    assert f"line 1: What notify_url gets is signed with {SECRET}\n" in shown.err
    assert (shown.err.count("signed with"), SECRET + "x" in shown.err) == (1, False)


def test_a_file_says_all_by_itself(cli: Cli, stub: Stub, tmp_path: Path) -> None:
    file = tmp_path / "jobs.jsonl"
    file.write_text('{"model": "flux-dev", "input": {"prompt": "cat"}, "subscribers": "sub_1"}')
    assert "line 1: /subscribers: " in cli("submit", "--file", str(file)).err
    for option in ("--subscriber", "--notify-url", "--notify-secret"):
        shown = cli("submit", "--file", str(file), option, "x")
        assert (shown.code, "cannot be combined" in shown.err) == (2, True)
    assert not stub.asked
