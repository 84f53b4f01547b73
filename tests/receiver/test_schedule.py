from email.utils import formatdate
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.schedule import Decision, Outcome, Verdict, decide, first_due, parse_retry_after

SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000
DEFAULT = [
    0, 5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR,
]  # fmt: skip
NOW = 1_700_000_000_000


def run(schedule: list[int], outcome: Outcome, jitter: float) -> list[int]:
    """The times of all attempts of a delivery whose every attempt ends in `outcome`, relative to its creation."""
    times = [first_due(NOW, schedule)]
    while (decision := decide(outcome, len(times), schedule, times[-1], jitter)).due_at is not None:
        assert decision.verdict is Verdict.RETRY
        times.append(decision.due_at)
    assert decision == Decision(Verdict.DEAD)
    return [time - NOW for time in times]


def test_the_whole_schedule_in_virtual_time() -> None:
    at, sums = 0, []
    for delay in DEFAULT:
        at += delay
        sums.append(at)
    assert run(DEFAULT, Outcome(500), 0.5) == sums
    assert sums[-1] == 75 * HOUR + 35 * MINUTE + 5 * SECOND


@given(st.floats(0, 1, exclude_max=True))
def test_jitter_stays_within_a_tenth_of_every_delay_but_the_first(jitter: float) -> None:
    times = run(DEFAULT, Outcome(None), jitter)
    assert len(times) == 10
    assert times[0] == 0
    for (before, after), delay in zip(pairwise(times), DEFAULT[1:], strict=True):
        assert 0.9 * delay <= after - before <= 1.1 * delay


def test_jitter_reaches_both_ends() -> None:
    assert run([SECOND, MINUTE], Outcome(500), 0.0) == [SECOND, SECOND + 54 * SECOND]
    assert run([SECOND, MINUTE], Outcome(500), 1 - 1e-9) == [SECOND, SECOND + 66 * SECOND]


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_success_is_2xx(status: int) -> None:
    assert decide(Outcome(status, "60"), 1, DEFAULT, NOW, 0.5) == Decision(Verdict.DELIVERED)
    assert decide(Outcome(status), 10, DEFAULT, NOW, 0.5) == Decision(Verdict.DELIVERED)


@pytest.mark.parametrize("status", [None, 101, 300, 301, 308, 400, 401, 404, 409, 429, 500, 503, 599])
def test_everything_else_is_tried_again_until_the_schedule_ends(status: int | None) -> None:
    assert decide(Outcome(status), 1, DEFAULT, NOW, 0.5) == Decision(Verdict.RETRY, NOW + 5 * SECOND)
    assert decide(Outcome(status), 10, DEFAULT, NOW, 0.5) == Decision(Verdict.DEAD)
    assert decide(Outcome(status), 11, DEFAULT, NOW, 0.5) == Decision(Verdict.DEAD)


def test_gone_disables_at_once() -> None:
    assert decide(Outcome(410, "60"), 1, DEFAULT, NOW, 0.5) == Decision(Verdict.DISABLE)


@pytest.mark.parametrize(
    ("retry_after", "delay"),
    [
        (None, 5 * SECOND),
        ("", 5 * SECOND),
        ("1", 5 * SECOND),
        ("0", 5 * SECOND),
        ("-60", 5 * SECOND),
        ("soon", 5 * SECOND),
        ("60", MINUTE),
        ("86400", DAY),
        ("86401", DAY),
        ("9" * 5000, DAY),
        (formatdate(NOW / 1000 + 90, usegmt=True), 90 * SECOND),
        (formatdate(NOW / 1000 - 90, usegmt=True), 5 * SECOND),
        (formatdate(NOW / 1000 + 10 * 86400, usegmt=True), DAY),
    ],
)
def test_retry_after_delays_but_never_hastens(retry_after: str | None, delay: int) -> None:
    assert decide(Outcome(503, retry_after), 1, DEFAULT, NOW, 0.5) == Decision(Verdict.RETRY, NOW + delay)


def test_retry_after_adds_no_attempt() -> None:
    assert decide(Outcome(429, "60"), 10, DEFAULT, NOW, 0.5) == Decision(Verdict.DEAD)


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        (" 120 ", 120 * SECOND),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60 * SECOND),
        ("Tuesday, 14-Nov-23 22:14:20 GMT", 60 * SECOND),
        ("Tue Nov 14 22:14:20 2023", 60 * SECOND),
        ("Tue, 14 Nov 2023 22:13:20 GMT", 0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", DAY),
        ("Tue, 99 Nov 2023 22:14:20 GMT", None),
        ("Tue, 14 Nov 99999999999 22:14:20 GMT", None),
        ("Tue, 14 Nov 2023 22:14:20 +9999", None),
        ("2023-11-14T22:14:20Z", None),
        ("1.5", None),
        ("1e3", None),
        ("0x10", None),
        ("١٢", None),
        ("", None),
    ],
)
def test_retry_after_forms(text: str, wait: int | None) -> None:
    assert parse_retry_after(text, NOW) == wait


@given(st.one_of(st.text(), st.text("0123456789:, GMTueNov-+.", max_size=40)))
def test_retry_after_never_raises_and_is_bounded(text: str) -> None:
    wait = parse_retry_after(text, NOW)
    assert wait is None or 0 <= wait <= DAY
