"""Torture must be able to fail: with a promise broken on purpose, the rule that is meant to notice it does."""

import pytest
from databases import Postgres

from tests.torture import __main__ as command
from tests.torture.breaks import BREAKS, NOTICED
from tests.torture.judge import Row
from tests.torture.scenarios import CHEAPEST, SCENARIOS, Databases, play
from tests.torture.verdict import CODES, Verdict, verdict

SECONDS = 1
"""How long a scenario strikes: every one does so at least once."""


@pytest.mark.parametrize("sabotage", CHEAPEST)
def test_a_broken_promise_is_noticed(sabotage: str, request: pytest.FixtureRequest) -> None:
    name, database = CHEAPEST[sabotage]
    shared: Postgres | None = request.getfixturevalue("postgres") if database == "postgres" else None
    row = play(Row(name, database), "broken", SECONDS, Databases(shared), sabotage=sabotage)
    assert verdict(row, sabotage) is Verdict.NOTICED, (row.broken, row.crash)


def test_every_promise_has_a_place_where_breaking_it_shows() -> None:
    assert set(BREAKS) == set(CHEAPEST) == set(NOTICED)
    assert all(database in SCENARIOS[name].databases for name, database in CHEAPEST.values())


def test_a_break_whose_application_crashes_is_not_noticed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The child ends with a `KeyError` at once, and the pattern fits whatever is said of that."""
    monkeypatch.setitem(NOTICED, "no-such-break", ".")
    monkeypatch.setattr(command, "CHEAPEST", {"no-such-break": ("guard", "sqlite")})
    assert command._self_check(1, Databases()) == 1
    said = capsys.readouterr().out
    assert said.startswith("no-such-break: HARNESS CRASHED: RuntimeError: the server ended with 1")
    assert "noticed" not in said


@pytest.mark.parametrize(
    ("row", "sabotage", "expected", "code"),
    [
        (Row("guard", "sqlite", judged=True), "", Verdict.HELD, 0),
        (Row("guard", "sqlite"), "", Verdict.NOT_JUDGED, 0),
        (Row("guard", "sqlite", judged=True), "guard-off", Verdict.HELD, 0),
        (Row("guard", "sqlite", broken=["3 requests went inside"]), "", Verdict.BROKEN, 1),
        (Row("guard", "sqlite", broken=["another", "3 requests went inside"]), "guard-off", Verdict.NOTICED, 1),
        (Row("guard", "sqlite", broken=["not at rest after 90 s"]), "guard-off", Verdict.OTHERWISE, 2),
        (Row("guard", "sqlite", broken=["went inside"], crash="OSError: no"), "guard-off", Verdict.CRASHED, 2),
    ],
)
def test_only_the_rule_that_is_meant_to_notice_a_break_does(
    row: Row, sabotage: str, expected: Verdict, code: int
) -> None:
    assert verdict(row, sabotage) is expected
    assert CODES[expected] == code
