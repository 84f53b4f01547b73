import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.rhythm import LONGEST_WAIT, next_poll, next_try

jitters = st.floats(0, 1, exclude_max=True)
counts = st.integers(0, 10**9)


@pytest.mark.parametrize(("polls", "pause"), [(0, 1), (1, 1), (2, 2), (5, 4), (8, 5), (15, 10), (16, 15), (10**6, 15)])
def test_a_young_job_is_asked_soon_and_then_less_often(polls: int, pause: int) -> None:
    assert next_poll(polls, 0.5) == pause * 1_000


@pytest.mark.parametrize(("failures", "pause"), [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (10**6, 60)])
def test_failures_double_the_pause_up_to_a_minute(failures: int, pause: int) -> None:
    assert next_try(failures, 0.5) == pause * 1_000


@given(counts, jitters)
def test_jitter_stays_within_a_tenth(count: int, jitter: float) -> None:
    middle = next_poll(count, 0.5)
    assert 0.9 * middle - 1 <= next_poll(count, jitter) <= 1.1 * middle
    middle = next_try(count + 1, 0.5)
    assert 0.9 * middle - 1 <= next_try(count + 1, jitter) <= 1.1 * middle


@given(counts, jitters, st.floats(0, 10**9))
def test_retry_after_delays_and_never_hastens(count: int, jitter: float, retry_after: float) -> None:
    pause = next_try(count + 1, jitter, retry_after)
    assert pause >= next_try(count + 1, jitter)
    assert pause >= int(min(retry_after, LONGEST_WAIT) * 1_000)
