"""What is said of a job: which attempt failed and why, what comes next, and that all is well where it is."""

from datetime import UTC, date, datetime
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from postback.cli import times
from postback.cli.drawing import Drawing
from postback.cli.output import LEAST, fit
from postback.cli.story import Finding, Mark, Story, findings, mark_of, tries, waiting

from .samples import ATTEMPT, DELIVERY, FAILED, JOB, TIMELINE

NOW = datetime(2026, 1, 31, 12, 0, 20, tzinfo=UTC)
URLS = {"sub_1": "https://example.com/hook"}
FINE = {**JOB, "warnings": []}
ARRIVED = {**ATTEMPT, "number": 2, "status_code": 200, "error_class": None, "error": None}


def delivery(status: str, *attempts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**DELIVERY, "status": status, "attempts": [*attempts], "attempt_count": len(attempts), **more}


def found(*deliveries: dict[str, Any], job: dict[str, Any] = FINE) -> list[Finding]:
    return list(findings(Story(job, TIMELINE["data"], deliveries, URLS), NOW))


def test_all_is_well() -> None:
    assert found(delivery("delivered", ATTEMPT, ARRIVED)) == [Finding(Mark.DONE, "delivered to 1 subscriber")]


def test_which_attempt_failed_and_why() -> None:
    timeout = {**ATTEMPT, "number": 2, "status_code": None, "error_class": "timeout", "error": "no answer"}
    (one,) = found(delivery("dead", ATTEMPT, timeout))
    assert one.mark is Mark.FAILED
    assert one.text == (
        "job.succeeded to https://example.com/hook is dead: attempt 2, the last, failed with timeout: no answer"
    )
    assert one.command == "postback deliveries redeliver dlv_1"
    assert one.hints[0].startswith("Answer with a 2xx at once")


@pytest.mark.parametrize(
    ("status", "attempts", "more", "text", "command"),
    [
        (
            *("pending", [ATTEMPT], {"next_attempt_at": "2026-01-31T12:05:22.000Z"}),
            "attempt 1 failed with HTTP 500; attempt 2 in 5m 02s",
            "postback deliveries redeliver dlv_1 --now",
        ),
        ("pending", [], {"next_attempt_at": "2026-01-31T12:00:00.000Z"}, ": attempt 1 now", None),
        ("delivering", [ATTEMPT], {}, "attempt 2 is under way", None),
        (
            *("skipped", [], {"last_error": "the subscriber is disabled"}),
            "was not sent: the subscriber is disabled",
            "postback deliveries redeliver dlv_1",
        ),
        ("dead", [], {"last_error": "no key"}, "is dead: no key", "postback deliveries redeliver dlv_1"),
    ],
)
def test_what_is_not_there_yet(
    status: str, attempts: list[dict[str, Any]], more: dict[str, Any], text: str, command: str | None
) -> None:
    (one,) = found(delivery(status, *attempts, **more))
    assert one.text.endswith(text)
    assert one.command == command


def test_several_to_one_place_are_one_finding() -> None:
    (one,) = found(delivery("dead", ATTEMPT), delivery("dead", ATTEMPT, id="dlv_2", type="job.archived"))
    assert one.text.startswith("job.archived (and 1 more) to https://example.com/hook is dead")
    assert one.command == "postback deliveries redeliver dlv_2"


def test_a_job_that_failed() -> None:
    failed = {**FAILED, "warnings": ["size is unusual.", "hint: Ask for something else."]}
    first, second = found(job=failed)
    assert first.text == "the job failed: DataInspectionFailed: not this"
    assert first.hints == ("Ask for something else.",)
    assert first.command == "postback jobs resubmit job_1"
    assert second == Finding(Mark.DOUBT, "warning: size is unusual.")


def test_nobody_was_told() -> None:
    summary = "notification job.succeeded: nobody was told, for no subscriber wanted it of this job"
    entry = {"at": "2026-01-31T12:00:00.000Z", "type": "notification", "summary": summary}
    assert list(findings(Story(FINE, [entry]), NOW)) == [Finding(Mark.DOUBT, summary)]


def test_steps_and_the_time_between_them() -> None:
    first, second = Story(FINE, [*TIMELINE["data"], {**TIMELINE["data"][0], "type": "attempt"}]).steps
    assert (first.after, second.after) == (None, 9.0)
    marks = [mark_of(state) for state in ("succeeded", "failed", "lost", "running", "created")]
    assert marks == [Mark.DONE, Mark.FAILED, Mark.DOUBT, Mark.WAITS, Mark.STEP]


def test_attempts_are_a_line_each() -> None:
    by_hand = {**ARRIVED, "trigger": "manual", "duration_ms": 2345}
    long = {**ATTEMPT, "response_excerpt": "so\n\nlong " * 99}
    one, two = tries(delivery("delivered", long, by_hand))
    assert one.text.startswith("HTTP 500 in 120ms | so long so long")
    assert len(one.text) < 110
    assert (two.number, two.text) == (2, "HTTP 200 in 2.3s, manual")


def test_what_comes_next_counts_down() -> None:
    owed = delivery("pending", ATTEMPT, next_attempt_at="2026-01-31T12:00:50.000Z")
    step = waiting(owed, NOW)
    assert step is not None
    assert (step.number, step.text) == (2, "next attempt in 30s")
    assert waiting(delivery("dead", ATTEMPT), NOW) is None


@pytest.mark.parametrize(
    ("job", "deliveries", "settled"),
    [
        (FINE, [], True),
        (FINE, [delivery("dead")], True),
        (FINE, [delivery("pending")], False),
        ({**FINE, "status": "unconfirmed"}, [], False),
    ],
)
def test_when_nothing_more_happens(job: dict[str, Any], deliveries: list[dict[str, Any]], settled: bool) -> None:
    assert Story(job, [], deliveries).settled is settled


def test_what_others_wrote_does_not_steer_the_terminal() -> None:
    out = Console(file=StringIO(), width=80, force_terminal=True, color_system=None)
    evil = {**ATTEMPT, "response_excerpt": "\x1b[31mred\x07", "error": "\x1b]0;title\x07"}
    story = Story(
        {**FAILED, "error": {"code": "\x1b[2J", "message": "\x9b"}}, TIMELINE["data"], [delivery("dead", evil)]
    )
    drawing = Drawing(out)
    for drawn in (drawing.title(story.job), *drawing.findings(story, NOW), *drawing.timeline(story, NOW)):
        out.print(drawn)
    written = out.file.getvalue()  # type: ignore[attr-defined]
    assert "red" in written
    assert not set("\x1b\x07\x9b") & set(written)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0ms"), (0.0461, "46ms"), (2.34, "2.3s"), (302, "5m 02s"), (7800, "2h 10m"), (277_000, "3d 4h")],
)
def test_spans(seconds: float, text: str) -> None:
    assert times.span(seconds) == text


def test_clocks() -> None:
    at = times.moment("2026-01-31T13:00:00.209+01:00")
    assert times.clock(at, date(2026, 1, 31)) == "12:00:00.209"
    assert times.clock(at, date(2026, 1, 30)) == "01-31 12:00:00"


@pytest.mark.parametrize(
    ("widths", "room", "shown"),
    [
        ([30, 9, 24], 80, [30, 9, 24]),
        ([30, 9, 24], 64, [30, 9]),
        ([30, 9, 200], 80, [30, 9, 39]),
        ([30, 9, 200, 11], 65, [30, 9, LEAST, 11]),
        ([30, 9, 200, 11], 64, [30, 9, 23]),
        ([30, 9], 20, [30]),
    ],
)
def test_what_of_a_list_is_shown(widths: list[int], room: int, shown: list[int]) -> None:
    assert fit(widths, room) == shown
