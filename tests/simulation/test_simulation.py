"""The simulation in short: the whole system holds its rules, runs replay exactly, and what is broken is found."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .run import play, play_all, told
from .store import Store

ROOT = Path(__file__).parents[2]
FOUND_WITHIN = 120
"""How many seeds it may take to find what is broken."""


@pytest.fixture(scope="module")
def store() -> Store:
    return Store()


def test_nothing_is_lost_and_nothing_doubled() -> None:
    seen: set[str] = set()
    for outcome in play_all(range(30)):
        assert outcome.violation is None, told(outcome, None)
        seen |= outcome.counts.keys()
    # A run in which nothing goes wrong proves nothing.
    assert {"dies", "is stopped", "goes on", "clock steps", "database away", "does not hear of its commit"} <= seen
    assert {"takes", "acknowledges", "job succeeded", "job lost", "job unconfirmed", "delivery dead"} <= seen


SHORT = ("settle-without-fence", "resubmit-on-timeout", "acknowledge-before-commit", "lease-not-checked")
"""What every run of the tests breaks; `scripts/simulate --break NAME` breaks the others."""


@pytest.mark.parametrize("breaking", SHORT)
def test_what_is_broken_is_found(breaking: str) -> None:
    found = (outcome for outcome in play_all(range(FOUND_WITHIN), breaking) if outcome.violation is not None)
    outcome = next(found, None)
    assert outcome is not None, f"{breaking} was not found in {FOUND_WITHIN} seeds"
    report = told(outcome, breaking)
    assert f"scripts/simulate --seed {outcome.plan.seed} --break {breaking}" in report
    assert outcome.violation is not None
    assert outcome.violation.complaint in report


def test_the_product_is_whole_after_it_was_broken(store: Store) -> None:
    before = play(5, store).digest
    play(5, store, "resubmit-on-timeout")
    assert play(5, store).digest == before


def test_what_patrols_find_from_memory_is_what_they_would_find(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = range(1, 6)
    remembered = [play(seed, store).digest for seed in seeds]
    monkeypatch.setattr(Store, "unwritten", lambda self, since: False)
    assert [play(seed, store).digest for seed in seeds] == remembered


def test_a_run_depends_on_nothing_but_its_seed(store: Store) -> None:
    seed = 7
    here = play(seed, store)
    assert play(seed, Store()).digest == here.digest
    assert play(seed + 1, store).digest != here.digest
    command = f"from tests.simulation.run import play, Store; print(play({seed}, Store()).digest)"
    environment = os.environ | {"PYTHONHASHSEED": "1", "PYTHONPATH": ".:tests:tests/ledger"}
    there = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    )
    assert there.stdout.strip() == here.digest
