"""Torture must be able to fail: with a promise broken on purpose, the scenario that is meant to notice it does."""

import re

import pytest
from databases import Postgres

from tests.torture.breaks import BREAKS
from tests.torture.scenarios import CHEAPEST, SCENARIOS, Databases, play

SECONDS = 1
"""How long a scenario strikes: every one does so at least once."""

NOTICED = {
    "acknowledge-before-commit": r"acknowledged and gone",
    "fence-removed": r"settled again after it arrived",
    "lease-not-checked": r"paid twice",
    "guard-off": r"went inside",
    "submit-retried-on-timeout": r"paid twice",
    "synchronous-off": r"power cuts lost something",
    "synchronous-normal": r"power cuts lost something",
}


@pytest.mark.parametrize("sabotage", CHEAPEST)
def test_a_broken_promise_is_noticed(sabotage: str, request: pytest.FixtureRequest) -> None:
    name, database = CHEAPEST[sabotage]
    shared: Postgres | None = request.getfixturevalue("postgres") if database == "postgres" else None
    row = play(name, database, "broken", SECONDS, Databases(shared), sabotage=sabotage)
    assert any(re.search(NOTICED[sabotage], rule) for rule in row.broken), row.broken


def test_every_promise_has_a_place_where_breaking_it_shows() -> None:
    assert set(BREAKS) == set(CHEAPEST) == set(NOTICED)
    assert all(database in SCENARIOS[name].databases for name, database in CHEAPEST.values())
