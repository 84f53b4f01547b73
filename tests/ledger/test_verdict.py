"""The rule alone, without a database: every reading against every state."""

import pytest
from builders import NOW, failed, succeeded, unfinished
from hypothesis import given
from hypothesis import strategies as st

from ledger.job import Job
from ledger.lifecycle import JOB, may
from ledger.verdict import FINAL, rule
from providers.protocol import Fault, JobStatus, Metrics, Reading, Result

CANCELED = Reading(JobStatus.CANCELED, "task-1", "CANCELED")
UNKNOWN = unfinished(JobStatus.UNKNOWN)
WAITING = unfinished(JobStatus.PENDING)
RUNNING = unfinished(JobStatus.RUNNING)


def job(status: str, **changes: object) -> Job:
    made = Job("job_1", "dashscope", "flux-schnell", status, {}, {}, {}, NOW - 5_000, due_at=NOW, task_id="task-1")
    return made._replace(**changes)  # type: ignore[arg-type]


TABLE = [
    # state, reading, verdict, state afterwards, states passed through
    ("queued", succeeded(), "accepted", "succeeded", ("succeeded",)),
    ("queued", failed(), "accepted", "failed", ("failed",)),
    ("queued", CANCELED, "accepted", "canceled", ("canceled",)),
    ("queued", WAITING, "progress", "pending", ("pending",)),
    ("queued", RUNNING, "progress", "running", ("pending", "running")),
    ("queued", UNKNOWN, "progress", "queued", ()),
    ("submitting", succeeded(), "accepted", "succeeded", ("succeeded",)),
    ("submitting", failed(), "accepted", "failed", ("failed",)),
    ("submitting", CANCELED, "accepted", "failed", ("failed",)),
    ("submitting", WAITING, "progress", "pending", ("pending",)),
    ("submitting", RUNNING, "progress", "running", ("pending", "running")),
    ("pending", succeeded(), "accepted", "succeeded", ("succeeded",)),
    ("pending", failed(), "accepted", "failed", ("failed",)),
    ("pending", CANCELED, "accepted", "canceled", ("canceled",)),
    ("pending", WAITING, "progress", "pending", ()),
    ("pending", RUNNING, "progress", "running", ("running",)),
    ("pending", UNKNOWN, "progress", "pending", ()),
    ("running", succeeded(), "accepted", "succeeded", ("succeeded",)),
    ("running", CANCELED, "accepted", "canceled", ("canceled",)),
    ("running", WAITING, "progress", "running", ()),
    ("running", RUNNING, "progress", "running", ()),
    ("unconfirmed", succeeded(), "accepted", "succeeded", ("succeeded",)),
    ("unconfirmed", failed(), "accepted", "failed", ("failed",)),
    ("unconfirmed", CANCELED, "accepted", "failed", ("failed",)),
    ("unconfirmed", RUNNING, "progress", "running", ("pending", "running")),
    ("unconfirmed", UNKNOWN, "progress", "unconfirmed", ()),
    ("lost", succeeded(), "accepted", "succeeded", ("succeeded",)),
    ("lost", failed(), "accepted", "failed", ("failed",)),
    ("lost", CANCELED, "accepted", "failed", ("failed",)),
    ("lost", RUNNING, "progress", "lost", ()),
    ("succeeded", RUNNING, "progress", "succeeded", ()),
    ("failed", WAITING, "progress", "failed", ()),
    ("canceled", UNKNOWN, "progress", "canceled", ()),
    ("canceled", succeeded(), "conflicting", "canceled", ()),
    *[(state, None, "invalid", state, ()) for state in JOB],
    *[(state, succeeded(task_id="task-2"), "invalid", state, ()) for state in JOB],
]


@pytest.mark.parametrize(("state", "reading", "verdict", "after", "passed"), TABLE)
def test_a_reading_has_one_verdict_in_each_state(
    state: str, reading: Reading | None, verdict: str, after: str, passed: tuple[str, ...]
) -> None:
    ruling = rule(job(state), reading, NOW)
    assert (ruling.verdict, ruling.job.status, ruling.passed) == (verdict, after, passed)
    if verdict == "accepted":
        assert (ruling.job.finished_at, ruling.job.due_at) == (NOW, None)
    else:
        assert ruling.job.callback_counts == {verdict: 1}


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        (succeeded("https://a.example/1.png?s=1"), succeeded("https://a.example/1.png?s=2"), "duplicate"),
        (succeeded("https://a.example/1.png"), succeeded("https://mirror.example/1.png#x"), "duplicate"),
        (succeeded("https://a.example/1.png"), succeeded("https://a.example/2.png"), "conflicting"),
        (succeeded("https://a.example/1"), succeeded("https://a.example/1", "https://a.example/2"), "conflicting"),
        (succeeded("http://[bad"), succeeded("http://[bad"), "duplicate"),
        (succeeded(), failed(), "conflicting"),
        (failed("A", "request 1 failed"), failed("A", "request 2 failed"), "duplicate"),
        (failed("A"), failed("B"), "conflicting"),
        (failed(), CANCELED, "conflicting"),
        (CANCELED, CANCELED, "duplicate"),
        (Reading(JobStatus.FAILED), Reading(JobStatus.FAILED), "duplicate"),
        (Reading(JobStatus.FAILED), failed(), "conflicting"),
        (succeeded(), succeeded(task_id=None), "duplicate"),
        (Reading(JobStatus.SUCCEEDED), Reading(JobStatus.SUCCEEDED), "duplicate"),
    ],
)
@pytest.mark.parametrize("state", ["pending", "submitting", "lost"])
def test_a_second_outcome_is_a_duplicate_or_conflicting(
    state: str, first: Reading, second: Reading, verdict: str
) -> None:
    before = rule(job(state), first, NOW).job
    ruling = rule(before, second, NOW + 1)
    assert ruling.verdict == verdict
    assert ruling.job._replace(callback_counts={}) == before


def test_what_a_success_says_is_kept() -> None:
    reading = Reading(
        JobStatus.SUCCEEDED,
        "task-1",
        "SUCCEEDED",
        (Result("https://a.example/1.png"), Result(None, Fault("InternalError", "one failed"))),
        Metrics(2, 1, 1),
        1,
        warnings=("the numbers do not add up", "the numbers do not add up"),
    )
    kept = rule(job("pending", task_id=None, error={"code": "Old", "message": ""}), reading, NOW).job
    assert kept.results == [
        {"url": "https://a.example/1.png", "error": None, "artifact": None},
        {"url": None, "error": {"code": "InternalError", "message": "one failed"}, "artifact": None},
    ]
    assert kept.metrics == {"total": 2, "succeeded": 1, "failed": 1}
    assert (kept.task_id, kept.usage, kept.error) == ("task-1", {"image_count": 1}, None)
    assert kept.warnings == ["the numbers do not add up"]


@pytest.mark.parametrize(
    ("reading", "code"),
    [
        (Reading(JobStatus.FAILED), "Failed"),
        (Reading(JobStatus.CANCELED), "Canceled"),
        (Reading(JobStatus.CANCELED, error=Fault("Own", "")), "Own"),
    ],
)
def test_a_failure_always_has_an_error(reading: Reading, code: str) -> None:
    kept = rule(job("submitting"), reading, NOW).job
    assert kept.status == "failed"
    assert kept.error is not None
    assert kept.error["code"] == code


def test_a_job_adopted_by_progress_is_watched_again_and_holds_no_guess() -> None:
    guessed = job("unconfirmed", task_id=None, due_at=None, error={"code": "Timeout", "message": "no answer"})
    adopted = rule(guessed, RUNNING, NOW).job
    assert (adopted.status, adopted.task_id, adopted.due_at) == ("running", "task-1", NOW)
    assert (adopted.submitted_at, adopted.error) == (NOW, None)


READINGS = st.none() | st.builds(
    Reading,
    st.sampled_from(JobStatus),
    st.sampled_from([None, "task-1", "task-2"]),
    st.none() | st.text(max_size=3),
    st.lists(st.builds(Result, st.none() | st.sampled_from(["https://a/1", "https://a/2?x", "//["])), max_size=3).map(
        tuple
    ),
    error=st.none() | st.builds(Fault, st.sampled_from(["A", "B", "Failed", "Canceled"]), st.text(max_size=3)),
)


@given(st.sampled_from(sorted(JOB)), st.lists(READINGS, max_size=12))
def test_no_sequence_of_callbacks_breaks_the_lifecycle(state: str, readings: list[Reading | None]) -> None:
    now_is = job(state, task_id=None)
    accepted = 0
    for number, reading in enumerate(readings):
        before, ruling = now_is, rule(now_is, reading, NOW + number)
        now_is = ruling.job
        step = before.status
        for passed in ruling.passed:
            assert may(JOB, step, passed)
            step = passed
        assert step == now_is.status
        accepted += ruling.verdict == "accepted"
        assert (ruling.verdict == "accepted") == (now_is.status in FINAL and before.status not in FINAL)
        if before.final:
            assert now_is._replace(callback_counts=before.callback_counts) == before
    assert accepted <= 1


@given(st.sampled_from(sorted(JOB)), READINGS)
def test_the_same_callback_twice_is_never_conflicting_with_itself(state: str, reading: Reading | None) -> None:
    first = rule(job(state), reading, NOW)
    if first.verdict == "accepted":
        assert rule(first.job, reading, NOW).verdict == "duplicate"
