from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.clock import DAY, MINUTE, SECOND
from ledger.lane import (
    DISABLE_AFTER,
    FIRST_SPACING,
    MAX_SPACING,
    SUSPECT,
    SUSPECT_ROOM,
    WARN_AFTER,
    Circuit,
    Lane,
    Report,
    Trouble,
)

NOW = 1_700_000_000_000
CIRCUIT = Circuit(failures=3, cooldown=30 * SECOND)
GOOD, BAD = Report(True, NOW), Report(False, NOW)
NEW = Lane("sub_1")


def after(lane: Lane, *reports: Report, now: int = NOW) -> Lane:
    for report in reports:
        lane = lane.after(report, now, CIRCUIT)
    return lane


def test_a_success_changes_nothing_of_a_calm_lane() -> None:
    assert NEW.calm
    assert after(NEW, GOOD) == NEW


def test_the_circuit_opens_after_so_many_failures_and_not_before() -> None:
    lane = after(NEW, BAD, BAD)
    assert (lane.state, lane.probing, lane.paused_until) == ("failing", False, None)
    lane = after(lane, BAD)
    assert (lane.state, lane.probing, lane.paused_until) == ("open", True, NOW + 30 * SECOND)


def test_only_consecutive_failures_count() -> None:
    assert not after(NEW, BAD, BAD, GOOD, BAD, BAD).probing


def test_a_probe_that_fails_keeps_it_open_and_one_that_arrives_closes_it() -> None:
    lane = after(NEW, BAD, BAD, BAD)
    later = NOW + 30 * SECOND
    assert lane.room(10, 0) == 1
    assert lane.room(10, 1) == 0
    assert after(lane, BAD, now=later).paused_until == later + 30 * SECOND
    closed = after(lane, GOOD, now=later)
    assert (closed.state, closed.paused_until, closed.failures, closed.failing_since) == ("healthy", None, 0, None)
    assert closed.room(10, 0) == 10


def test_a_lane_that_keeps_failing_holds_few_of_what_others_need() -> None:
    lane = replace(NEW, failures=SUSPECT - 1)
    assert lane.room(10, 0) == 10
    assert replace(lane, failures=SUSPECT).room(10, 0) == SUSPECT_ROOM
    assert replace(lane, failures=SUSPECT).room(1, 0) == 1
    assert replace(lane, failures=SUSPECT).room(10, 5) == 0


def test_who_asks_for_less_is_paused_and_then_sent_to_more_slowly() -> None:
    lane = after(NEW, Report(False, NOW, busy=True, pause=MINUTE))
    assert (lane.paused_until, lane.spacing) == (NOW + MINUTE, FIRST_SPACING)
    # What was under way at the same time asks for the same slowing down, not for another.
    lane = after(lane, Report(False, NOW - 1, busy=True), Report(False, NOW - 5, busy=True))
    assert lane.spacing == FIRST_SPACING
    lane = lane.after(Report(False, NOW + 1, busy=True), NOW + MINUTE, CIRCUIT)
    assert lane.spacing == 2 * FIRST_SPACING


def test_what_arrives_meanwhile_does_not_end_a_pause_that_was_asked_for() -> None:
    assert after(NEW, Report(False, NOW, busy=True, pause=MINUTE), GOOD).paused_until == NOW + MINUTE


def test_successes_bring_the_pace_back() -> None:
    lane = replace(NEW, spacing=MAX_SPACING)
    for _ in range(200):
        lane = after(lane, GOOD)
    assert lane == NEW


def test_a_limit_and_a_slowing_down_both_hold() -> None:
    assert NEW.interval(None) == 0
    assert NEW.interval(4) == 250
    assert replace(NEW, spacing=1_000).interval(4) == 1_000
    assert replace(NEW, spacing=100).interval(4) == 250


@pytest.mark.parametrize(
    ("failing", "warned", "trouble"),
    [
        (0, False, Trouble.NONE),
        (WARN_AFTER - 1, False, Trouble.NONE),
        (WARN_AFTER, False, Trouble.WARN),
        (WARN_AFTER, True, Trouble.NONE),
        (DISABLE_AFTER - 1, True, Trouble.NONE),
        (DISABLE_AFTER, True, Trouble.DISABLE),
        (DISABLE_AFTER + DAY, False, Trouble.DISABLE),
    ],
)
def test_failing_for_long_is_said_and_then_ended(failing: int, warned: bool, trouble: Trouble) -> None:
    lane = replace(NEW, failures=1, failing_since=NOW - failing, warned_at=NOW if warned else None)
    assert lane.trouble(NOW) is trouble


REPORTS = st.builds(
    Report, st.booleans(), st.integers(NOW - DAY, NOW), busy=st.booleans(), pause=st.integers(0, DAY)
).map(lambda report: report if not report.good else Report(True, report.started_at))


@given(st.lists(REPORTS, max_size=40))
def test_whatever_happens_a_lane_stays_within_its_bounds(reports: list[Report]) -> None:
    lane = after(NEW, *reports)
    assert 0 <= lane.spacing <= MAX_SPACING
    assert (lane.failures == 0) == (lane.failing_since is None)
    assert lane.probing == (lane.failures >= CIRCUIT.failures)
    assert lane.paused_until is None or lane.paused_until <= NOW + DAY
