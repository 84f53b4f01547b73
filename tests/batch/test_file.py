"""`postback submit --file`: nothing before every line is read, then batches in the order of the lines."""

import io
import json
import sys
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.responses import JSONResponse

from postback.cli.batch import Request, batches
from tests.cli.conftest import Cli
from tests.cli.samples import QUEUED
from tests.cli.stub import Stub, problem

CALL = "POST /v1/jobs/batch"
FOX = {"model": "flux-schnell", "input": {"prompt": "狐狸"}, "parameters": {"seed": 7}, "idempotency_key": "fox-7"}
CAT = {"model": "flux-dev", "provider": "acedata", "input": {"prompt": "cat"}, "metadata": {"order": 7}}


def jobs(first: int, count: int, **changes: Any) -> dict[str, Any]:
    return {"data": [{**QUEUED, "id": f"job_{number}", **changes} for number in range(first, first + count)]}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "jobs.jsonl"


def write(file: Path, *lines: Any) -> str:
    texts = [line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines]
    file.write_text("\n".join(texts) + "\n", "utf-8")
    return str(file)


def test_every_line_is_a_request(cli: Cli, stub: Stub, file: Path) -> None:
    stub.answer(CALL, jobs(1, 2), status=202)
    shown = cli("submit", "--file", write(file, FOX, "", CAT, "  "))
    assert (shown.code, shown.out) == (0, "job_1\njob_2\n")
    assert shown.err == "2 jobs are submitted. Follow them with: postback jobs list\n"
    assert stub.last.body == {"jobs": [FOX, CAT]}
    assert len(stub.asked) == 1


def test_lines_may_come_from_stdin(cli: Cli, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    stub.answer(CALL, jobs(1, 1), status=202)
    text = json.dumps(CAT).encode() + b"\r\n"
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text)))
    assert cli("submit", "--file", "-").out == "job_1\n"
    assert stub.last.body == {"jobs": [CAT]}


def test_json_is_a_job_a_line(cli: Cli, stub: Stub, file: Path) -> None:
    stub.answer(CALL, jobs(1, 2, metadata={"name": "猫\n"}), status=202)
    shown = cli("submit", "--file", write(file, FOX, CAT), "--json")
    assert [json.loads(line) for line in shown.out.splitlines()] == jobs(1, 2, metadata={"name": "猫\n"})["data"]
    assert "猫" in shown.out


def test_warnings_name_their_line(cli: Cli, stub: Stub, file: Path) -> None:
    stub.answer(CALL, {"data": [QUEUED, {**QUEUED, "warnings": ["size is unusual."]}]}, status=202)
    assert "warning: line 3: size is unusual.\n" in cli("submit", "--file", write(file, FOX, "", CAT)).err


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "line 2: the text is not JSON"),
        ("[]", "line 2: the JSON is not an object"),
        ('{"model": "a", "model": "b"}', "line 2: the JSON has an object with the same key twice"),
        ('{"model": "\\ud800"}', "line 2: the JSON holds half of a surrogate pair"),
        ({"input": {}}, "line 2: /model: Field required"),
        (CAT | {"size": 1}, "line 2: /size: Extra inputs"),
        (CAT | {"idempotency_key": ""}, "line 2: /idempotency_key: String should have at least 1"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_submitted(cli: Cli, stub: Stub, file: Path, line: Any, told: str) -> None:
    shown = cli("submit", "--file", write(file, FOX, line, CAT))
    assert (shown.code, shown.out, stub.asked) == (2, "", [])
    assert shown.err.startswith(f"Error: nothing is submitted, because of {file}\n{told}")
    assert len(shown.err.splitlines()) == 2


def test_many_bad_lines_are_counted(cli: Cli, stub: Stub, file: Path) -> None:
    shown = cli("submit", "--file", write(file, *["{"] * 13))
    assert len(shown.err.splitlines()) == 12
    assert shown.err.endswith("and 3 more\n")


def test_files_that_are_none(cli: Cli, stub: Stub, file: Path) -> None:
    assert "No such file" in cli("submit", "--file", str(file)).err
    shown = cli("submit", "--file", write(file, "", " "))
    assert (shown.code, shown.err) == (2, f"Error: {file} holds no request\n")
    assert stub.asked == []


@pytest.mark.parametrize("more", [["flux-dev"], ["flux-dev", "cat"], ["--n", "2"], ["--wait"], ["-p", "a=1"]])
def test_what_would_be_ignored_is_refused(cli: Cli, stub: Stub, file: Path, more: list[str]) -> None:
    shown = cli("submit", *more, "--file", write(file, FOX))
    assert (shown.code, stub.asked) == (2, [])
    assert "--file cannot be combined with" in shown.err


@pytest.mark.parametrize(("given", "missing"), [([], "MODEL"), (["flux-dev"], "PROMPT")])
def test_without_a_file_model_and_prompt_are_needed(cli: Cli, stub: Stub, given: list[str], missing: str) -> None:
    shown = cli("submit", *given)
    assert (shown.code, stub.asked) == (2, [])
    assert f"missing argument {missing}" in shown.err


def test_more_than_a_call_takes_go_in_several(cli: Cli, stub: Stub, file: Path) -> None:
    stub.answers[CALL] = [JSONResponse(jobs(first, count), 202) for first, count in [(0, 1_000), (1_000, 500)]]
    shown = cli("submit", "--file", write(file, *[CAT] * 1_500))
    assert shown.out.splitlines() == [f"job_{number}" for number in range(1_500)]
    assert [len(asked.body["jobs"]) for asked in stub.asked] == [1_000, 500]
    assert shown.err.splitlines()[0] == "1000 of 1500 jobs are submitted."


def test_a_refusal_names_the_line_and_what_is_submitted(cli: Cli, stub: Stub, file: Path) -> None:
    errors = [
        {"pointer": "/jobs/3/input/prompt", "detail": "is required"},
        {"pointer": "/jobs/17/model", "detail": "?"},
    ]
    refusal = problem(422, "/jobs/3/input/prompt: is required", errors=errors)
    stub.answers[CALL] = [JSONResponse(jobs(0, 1_000), 202), refusal]
    shown = cli("submit", "--file", write(file, "", *[CAT] * 1_100))
    assert (shown.code, len(shown.out.splitlines())) == (2, 1_000)
    assert shown.err.splitlines()[1:] == [
        "Error: line 1005: /input/prompt: is required",
        "  line 1019: /model: ?",
        "Lines 2 to 1001 are submitted.",
    ]


def test_a_bar_on_a_terminal(cli: Cli, stub: Stub, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub.answer(CALL, jobs(1, 1), status=202)
    path = write(file, CAT)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    shown = cli("submit", "--file", path)
    assert shown.out == "job_1\n"
    assert "submitting" in shown.err
    assert "1 jobs are submitted" in shown.err


def test_batches_stay_within_what_a_body_may_have() -> None:
    requests = [Request(number, {"input": {"prompt": "猫" * number}}) for number in range(1, 60)]
    limit = 400
    made = list(batches(requests, limit))
    assert [request for batch in made for request in batch] == requests
    for batch, following in pairwise(made):
        assert size(batch) <= limit < size([*batch, following[0]]) + 1
    assert [len(batch) for batch in batches(requests[:3], 1)] == [1, 1, 1]


def size(batch: list[Request]) -> int:
    bodies = {"jobs": [request.body for request in batch]}
    return len(json.dumps(bodies, ensure_ascii=False, separators=(",", ":")).encode())
