"""Who goes into a transaction together."""

import pytest

from ledger.company import AGAIN, MAX_SIZE, PART, Company


def answered(here: int, at_once: int = 1, now: float = 0.0) -> Company:
    company = Company()
    company.answered(here, at_once, now)
    return company


def test_the_first_waits_for_nobody() -> None:
    assert Company().expected_until(1, 0.0) is None


def test_those_that_were_answered_together_are_expected_again_for_a_moment() -> None:
    company = answered(20, now=5.0)
    assert company.expected_until(1, 5.0) == 5.0 + AGAIN
    assert company.expected_until(20, 5.0) is None
    assert company.expected_until(1, 5.0 + AGAIN) is None
    assert (company.complete(19), company.complete(20)) == (False, True)


def test_of_two_batches_each_expects_its_half() -> None:
    assert answered(64, at_once=2).complete(32)


@pytest.mark.parametrize(
    ("here", "waiting", "under_way", "at_once", "worth"),
    [
        (0, PART - 1, 1, 2, False),
        (0, PART, 1, 2, True),
        (0, PART, 1, 1, False),
        (0, PART, 2, 2, False),
        (4 * PART, 2 * PART - 1, 1, 2, False),
        (4 * PART, 2 * PART, 1, 2, True),
    ],
)
def test_another_goes_when_it_is_as_large_as_the_last(
    here: int, waiting: int, under_way: int, at_once: int, worth: bool
) -> None:
    assert answered(here, at_once=2).worth_another(waiting, under_way, at_once) is worth


@pytest.mark.parametrize(
    ("waiting", "away", "at_once", "most"),
    [
        (3 * PART, 0, 1, MAX_SIZE),
        (PART, 0, 2, PART),
        (PART + 2, 0, 2, PART),
        (3 * PART, 0, 2, 3 * PART // 2),
        (2 * PART, 2 * PART, 2, 2 * PART),
        (9 * MAX_SIZE, 0, 2, MAX_SIZE),
    ],
)
def test_only_many_go_in_halves(waiting: int, away: int, at_once: int, most: int) -> None:
    assert Company().most(waiting, away, at_once) == most


def test_no_more_go_together_than_a_transaction_takes() -> None:
    assert answered(10 * MAX_SIZE).complete(MAX_SIZE)
