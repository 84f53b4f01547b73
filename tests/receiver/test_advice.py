"""Each failure has a sentence that says what to do."""

from typing import get_args

import pytest

from receiver.advice import UNSIGNED, advise
from receiver.answers import ErrorClass


@pytest.mark.parametrize("status", [200, 202, 204, 299])
def test_a_success_needs_none(status: int) -> None:
    assert advise(None, status, None) is None


@pytest.mark.parametrize("error_class", get_args(ErrorClass))
def test_every_class_has_one_of_its_own(error_class: str) -> None:
    others = {advise(other, None, "it went wrong") for other in get_args(ErrorClass) if other != error_class}
    said = advise(error_class, None, "it went wrong")
    assert said is not None
    assert said.endswith(".")
    assert said not in others


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (301, "final URL"),
        (308, "not followed"),
        (400, "docs/verify.md"),
        (401, "Authorization"),
        (403, "bot protection"),
        (404, "path"),
        (405, "POST"),
        (410, "disabled"),
        (413, "thin"),
        (415, "application/json"),
        (418, "docs/verify.md"),
        (429, "rate_limit"),
        (500, "its own log"),
        (502, "its own log"),
        (503, "max_in_flight"),
        (101, "200 to 299"),
        (999, "200 to 299"),
    ],
)
def test_statuses_by_what_people_meet(status: int, says: str) -> None:
    said = advise("status", status, f"the subscriber answered HTTP {status}")
    assert said is not None
    assert says in said


def test_every_status_has_one() -> None:
    assert [status for status in range(100, 1000) if not advise("status", status, None)] == []


def test_what_could_not_be_signed_is_about_keys() -> None:
    said = advise("guard", None, f"{UNSIGNED}: a stored secret was sealed with another key")
    assert said is not None
    assert "POSTBACK_SECRET_KEYS" in said
    assert said != advise("guard", None, None)


def test_a_class_from_elsewhere_still_gets_an_answer() -> None:
    assert advise("unheard of", None, None)
