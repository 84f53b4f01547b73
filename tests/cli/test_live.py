"""Following without a terminal: when it is looked again, what is told of changes, how it ends."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from postback.cli import owed
from postback.cli.errors import CommandFailed, ExitCode
from postback.cli.pulse import Pulse
from postback.cli.watch import Jobs, OneJob

from .conftest import Cli
from .samples import ATTEMPT, DELIVERY, FAILED, JOB, QUEUED, SUBSCRIBER, TIMELINE, page
from .stub import Stub


class Fake:
    """The API with what it answers in turn to each path; the last stays."""

    def __init__(self, **answers: list[Any]) -> None:
        self.answers = answers
        self.queries: list[Any] = []

    def get(self, *path: str, query: Any = None) -> Any:
        self.queries.append(query)
        turns = self.answers["_".join(path)]
        answer = turns.pop(0) if len(turns) > 1 else turns[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_jobs_are_told_when_they_change(capsys: pytest.CaptureFixture[str]) -> None:
    api = Fake(jobs=[page(QUEUED), page(QUEUED), page({**QUEUED, "id": "job_2"}, {**JOB, "status": "running"})])
    jobs = Jobs(api, None)  # type: ignore[arg-type]
    lines = []
    for _ in range(3):
        jobs.look()
        jobs.tell(as_json=False)
        lines.append(capsys.readouterr().out)
    model = JOB["model"]
    assert lines == [
        f"job_1  queued  {model}\n",
        "",
        f"job_1  queued  ->  running  {model}\njob_2  queued  {model}\n",
    ]


def test_jobs_are_told_as_lines_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    jobs = Jobs(Fake(jobs=[page(JOB, FAILED)]), "failed")  # type: ignore[arg-type]
    jobs.look()
    jobs.tell(as_json=True)
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [FAILED, JOB]


def test_of_one_job_what_is_new_in_its_timeline(cli: Cli, stub: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    late = {"at": "2026-01-31T12:00:10.000Z", "type": "dead", "summary": "dead: status 500"}
    whole = {"data": [*TIMELINE["data"], late]}
    owed_one = {**DELIVERY, "status": "pending", "attempts": [ATTEMPT]}
    api = Fake(
        jobs_job_1=[JOB],
        jobs_job_1_timeline=[TIMELINE, whole],
        deliveries=[page(DELIVERY)],
        deliveries_dlv_1=[owed_one, {**owed_one, "status": "dead"}],
        subscribers_sub_1=[SUBSCRIBER, CommandFailed("gone", ExitCode.NOT_FOUND)],
    )
    job = OneJob(api, "job_1")  # type: ignore[arg-type]
    job.look()
    job.tell(as_json=False)
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert not job.settled
    job.look()
    job.tell(as_json=False)
    assert capsys.readouterr().out == "2026-01-31T12:00:10.000Z  dead          dead: status 500\n"
    assert job.settled


def test_watching_a_job_that_has_ended(cli: Cli, stub: Stub) -> None:
    stub.answer("GET /v1/jobs/job_1", FAILED)
    stub.answer("GET /v1/jobs/job_1/timeline", TIMELINE)
    stub.answer("GET /v1/deliveries", page())
    shown = cli("jobs", "watch", "job_1", "--json")
    assert shown.code == 0
    assert [json.loads(line) for line in shown.out.splitlines()] == TIMELINE["data"]
    assert all(one.path != "/v1/stream" for one in stub.asked)


@pytest.mark.parametrize("line", ["jobs watch", "jobs watch job_1", "tail"])
def test_a_wrong_key_ends_it(cli: Cli, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    monkeypatch.setenv("POSTBACK_API_KEY", "wrong")
    shown = cli(*line.split())
    assert (shown.code, shown.out) == (4, "")


def test_a_stream_that_is_refused_ends_watching(cli: Cli, stub: Stub) -> None:
    stub.answer("GET /v1/jobs", page(JOB))
    stub.refuse("GET /v1/stream", 403, "That key may not.")
    shown = cli("jobs", "watch")
    assert shown.code == 4
    assert "That key may not." in shown.err


class Told:
    """A stream that tells so much and fails then."""

    def __init__(self, count: int, failure: Exception) -> None:
        self.count, self.failure = count, failure

    def notifications(self) -> Iterator[dict[str, Any]]:
        yield from ({} for _ in range(self.count))
        raise self.failure


def test_a_burst_is_one_beat() -> None:
    slept: list[float] = []
    pulse = Pulse(sleep=slept.append, period=30)
    pulse.report("Disconnected: x.")
    pulse.report("Connected again.")
    beats = pulse.beats()
    assert next(beats) == ["Disconnected: x.", "Connected again."]
    pulse.listen(Told(100, KeyError("at last")))
    with pytest.raises(KeyError):
        for _ in beats:
            pass
    assert len(slept) < 50


def test_it_beats_though_nothing_is_heard() -> None:
    assert next(Pulse(period=0).beats()) == []


ANSWER = {"recovered": 3, "replayed": 1, "last_due_at": "2026-01-31T12:00:03.000Z", "dry_run": False}


def pending(id: str, due: int, status: str = "pending") -> dict[str, Any]:
    at = f"2026-01-31T12:00:{due:02}.000Z" if status == "pending" else None
    return {**DELIVERY, "id": id, "status": status, "next_attempt_at": at}


def test_following_until_each_was_tried() -> None:
    old = pending("old", 2)
    turns = [
        *(page(pending("a", 1), old, cursor="c"), page(pending("b", 3)), page()),  # two pages, nothing under way
        *(page(pending("b", 3), old), page(pending("c", 0, "delivering"))),
        *(page(pending("b", 9), old), page()),  # this one failed, and is tried again behind all others
    ]
    api, moved, slept = Fake(deliveries=turns), [], []

    def advance(more: int, total: int | None) -> None:
        moved.append((more, total))

    waiting = owed.follow(api, "sub_1", ANSWER, {"old"}, "old", advance, clock=lambda: 0, sleep=slept.append)
    assert waiting == 1
    assert moved == [(2, 4), (0, 4), (2, 4)]
    assert slept == [owed.PAUSE, owed.PAUSE]
    assert api.queries[1]["cursor"] == "c"
    assert {query["status"] for query in api.queries} == {"pending", "delivering"}


def test_what_comes_while_a_recovery_is_followed_is_no_part_of_it(cli: Cli, stub: Stub) -> None:
    """A recovery of two, both tried in vain by now; a third delivery came meanwhile and failed too."""
    ours = [{**pending(id, 9), "id": id} for id in ("dlv_1", "dlv_2")]
    came = pending("dlv_3", 9)
    stub.answer("GET /v1/deliveries", page(ours[1]), page(), page(), page(came, *ours), page())
    stub.answer("POST /v1/subscribers/sub_1/recover", {**ANSWER, "recovered": 2, "replayed": 0}, status=202)
    shown = cli("subscribers", "recover", "sub_1", "--since", "1h", "--wait")
    assert re.search(r"recovered +2\n", shown.out)
    assert shown.err.startswith("2 did not arrive yet and are tried again.")


def test_following_a_recovery_of_nothing(cli: Cli, stub: Stub) -> None:
    stub.answer("GET /v1/deliveries", page())
    nothing = {"recovered": 0, "replayed": 0, "last_due_at": None, "dry_run": False}
    stub.answer("POST /v1/subscribers/sub_1/recover", nothing, status=202)
    shown = cli("subscribers", "recover", "sub_1", "--since", "2h", "--wait")
    assert (shown.code, shown.err) == (0, "There is nothing to send in that time.\n")
