from collections.abc import Iterator
from typing import Any

import pytest

from postback.cli.errors import CommandFailed, ExitCode
from postback.cli.wait import wait_for

from .conftest import Cli
from .samples import FAILED, JOB, QUEUED
from .stub import Stub


def test_prints_the_id(cli: Cli, stub: Stub) -> None:
    stub.answer("POST /v1/jobs", {**QUEUED, "warnings": ["n is unusual."]}, status=202)
    shown = cli("submit", "flux-dev", "一只猫")
    assert (shown.code, shown.out) == (0, "job_1\n")
    assert "warning: n is unusual." in shown.err
    assert "postback jobs show job_1" in shown.err
    assert stub.last.body == {
        "provider": "dashscope",
        "model": "flux-dev",
        "input": {"prompt": "一只猫"},
        "parameters": {},
    }
    assert cli("submit", "flux-dev", "一只猫", "--json").json["id"] == "job_1"


def test_every_option(cli: Cli, stub: Stub) -> None:
    stub.answer("POST /v1/jobs", QUEUED, status=202)
    line = "--size 1024*1024 --n 2 --seed 42 --steps 30 -p guidance=3.5 -p offload=true -p style=anime -p raw=[1] "
    line += "--parameter note=NaN --input negative_prompt=blurry --metadata order=7 --idempotency-key k-1"
    assert cli("submit", "stable-diffusion-3.5-large", "cat", *line.split()).code == 0
    assert stub.last.headers["idempotency-key"] == "k-1"
    assert stub.last.body == {
        "provider": "dashscope",
        "model": "stable-diffusion-3.5-large",
        "input": {"prompt": "cat", "negative_prompt": "blurry"},
        "parameters": {
            "size": "1024*1024",
            "n": 2,
            "seed": 42,
            "steps": 30,
            "guidance": 3.5,
            "offload": True,
            "style": "anime",
            "raw": "[1]",
            "note": "NaN",
        },
        "metadata": {"order": 7},
    }


@pytest.mark.parametrize(("model", "named"), [("flux-dev", ["--provider", "acedata"]), ("flux-kontext-pro", [])])
def test_acedata_has_its_own_words(cli: Cli, stub: Stub, model: str, named: list[str]) -> None:
    stub.answer("POST /v1/jobs", QUEUED, status=202)
    assert cli("submit", model, "cat", *named, "--n", "3").code == 0
    assert stub.last.body["provider"] == "acedata"
    assert stub.last.body["parameters"] == {"count": 3}
    assert cli("submit", model, "cat", *named, "--image-url", "https://x/1.png").code == 0
    assert stub.last.body["input"] == {"prompt": "cat", "image_url": "https://x/1.png", "action": "edit"}


def test_an_unknown_model_is_the_servers_to_judge(cli: Cli, stub: Stub) -> None:
    errors = [{"pointer": "/model", "detail": "is not known"}, {"pointer": "/input/prompt", "detail": "is too long"}]
    stub.refuse("POST /v1/jobs", 422, "/model: is not known", errors=errors)
    shown = cli("submit", "nonsense", "cat")
    assert shown.code == 2
    assert shown.err == "Error: /model: is not known\n  /input/prompt: is too long\n"
    assert "provider" not in stub.last.body


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["-p", "n"], "'n' is not of the form key=value"),
        (["--input", "=1"], "'=1' is not of the form key=value"),
        (["--n", "two"], "valid integer"),
        (["--wait", "--timeout", "soon"], "'soon' is not a duration"),
        (["--timeout", "5s"], "--timeout needs --wait"),
        (["--idempotency-key", "ключ"], "printable ASCII"),
    ],
)
def test_usage(cli: Cli, stub: Stub, options: list[str], told: str) -> None:
    shown = cli("submit", "flux-dev", "cat", *options)
    assert shown.code == 2
    assert told in shown.err
    assert not stub.asked


@pytest.mark.parametrize(("end", "code"), [("succeeded", 0), ("failed", 1), ("canceled", 1), ("lost", 1)])
def test_wait(cli: Cli, stub: Stub, end: str, code: int) -> None:
    stub.answer("POST /v1/jobs", QUEUED, status=202)
    stub.answer("GET /v1/jobs/job_1", {**JOB, "status": end})
    assert cli("submit", "flux-dev", "cat", "--wait").code == code
    assert cli("submit", "flux-dev", "cat", "--wait", "--json").json["status"] == end


def test_wait_shows_the_result(cli: Cli, stub: Stub) -> None:
    stub.answer("POST /v1/jobs", QUEUED, status=202)
    stub.answer("GET /v1/jobs/job_1", JOB)
    shown = cli("submit", "flux-dev", "cat", "--wait")
    assert "https://images.example.com/1.png" in shown.out
    assert "job_1 is submitted." in shown.err


def test_wait_tells_the_providers_error(cli: Cli, stub: Stub) -> None:
    stub.answer("POST /v1/jobs", QUEUED, status=202)
    stub.answer("GET /v1/jobs/job_1", FAILED)
    assert "Error: job_1 is failed: DataInspectionFailed: not this" in cli("submit", "m", "cat", "--wait").err


def test_wait_times_out(cli: Cli, stub: Stub) -> None:
    stub.answer("POST /v1/jobs", QUEUED, status=202)
    stub.answer("GET /v1/jobs/job_1", QUEUED)
    shown = cli("submit", "flux-dev", "cat", "--wait", "--timeout", "0")
    assert shown.code == 124
    assert "job_1 is still queued after 0 s and goes on" in shown.err
    assert "postback jobs show job_1" in shown.err


def test_wait_can_be_left(cli: Cli, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(_: float) -> None:
        raise KeyboardInterrupt

    stub.answer("POST /v1/jobs", QUEUED, status=202)
    stub.answer("GET /v1/jobs/job_1", QUEUED)
    monkeypatch.setattr("time.sleep", leave)
    shown = cli("submit", "flux-dev", "cat", "--wait")
    assert shown.code == 130
    assert "job_1 goes on. Look again with: postback jobs show job_1" in shown.err


class Time:
    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class Turns:
    """Gives a job of each status in turn; an exit code is a server that fails so."""

    def __init__(self, *turns: str | ExitCode) -> None:
        self._turns: Iterator[str | ExitCode] = iter(turns)

    def get(self, *path: str) -> dict[str, Any]:
        assert path == ("jobs", "job_1")
        turn = next(self._turns)
        if isinstance(turn, ExitCode):
            raise CommandFailed("away", turn)
        return {**JOB, "status": turn}


def test_waiting_asks_less_and_less_often() -> None:
    time, seen = Time(), list[str]()
    turns = Turns(*["queued"] * 4, *["running"] * 8, "unconfirmed", "succeeded")
    job = wait_for(turns, "job_1", None, lambda status, _: seen.append(status), time.clock, time.sleep)
    assert job["status"] == "succeeded"
    assert seen == ["queued"] * 4 + ["running"] * 8 + ["unconfirmed"]
    assert time.slept == sorted(time.slept)
    assert time.slept[-1] == 3.0


def test_waiting_ends_on_time() -> None:
    time = Time()
    with pytest.raises(CommandFailed, match="still running after 5 s") as failed:
        wait_for(Turns(*["running"] * 50), "job_1", 5.0, lambda *_: None, time.clock, time.sleep)
    assert failed.value.exit_code == 124
    assert time.now == 5.0


def test_waiting_outlives_a_restart_of_the_server() -> None:
    time, seen = Time(), list[str]()
    turns = Turns("running", *[ExitCode.UNREACHABLE] * 9, "succeeded")
    job = wait_for(turns, "job_1", None, lambda status, _: seen.append(status), time.clock, time.sleep)
    assert job["status"] == "succeeded"
    assert seen == ["running"] + ["server away"] * 9


@pytest.mark.parametrize("failure", [[ExitCode.UNREACHABLE] * 10, [ExitCode.NOT_FOUND]])
def test_waiting_gives_up(failure: list[ExitCode]) -> None:
    time = Time()
    with pytest.raises(CommandFailed, match="away") as failed:
        wait_for(Turns(*failure), "job_1", None, lambda *_: None, time.clock, time.sleep)
    assert failed.value.exit_code == failure[0]
