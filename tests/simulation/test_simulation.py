"""The simulation in short: the whole system holds its rules, runs replay exactly, and what is broken is found."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from . import parts
from .breaking import BREAKS
from .run import play, play_all, told
from .store import Store

ROOT = Path(__file__).parents[2]
QUICK = {
    "fence-removed": 12,
    "submit-retried-on-timeout": 12,
    "acknowledge-before-commit": 2,
    "lease-not-checked": 248,
    "send-again-after-lease": 15,
    "last-outcome-wins": 50,
    "forget-deliveries": 15,
    "crowd-subscribers": 1,
    "retry-at-once": 10,
    "forget-unfinished": 8,
}
"""A seed that finds each break within a moment. What a seed means changes with the product: then another one does."""

RESERVE = 150
"""How many seeds after it may be needed then. `scripts/simulate --break NAME` finds a new quick one."""


@pytest.fixture(scope="module")
def store() -> Store:
    return Store()


def test_nothing_is_lost_and_nothing_doubled() -> None:
    seen: set[str] = set()
    for outcome in play_all(range(15)):
        assert outcome.violation is None, told(outcome, None)
        seen |= outcome.counts.keys()
    # A run in which nothing goes wrong proves nothing.
    assert {"dies", "is stopped", "goes on", "clock steps", "database away", "does not hear of its commit"} <= seen
    assert {"takes", "acknowledges", "job succeeded", "job lost", "job unconfirmed", "delivery dead"} <= seen


@pytest.mark.parametrize("breaking", BREAKS)
def test_what_is_broken_is_found(breaking: str) -> None:
    seeds = range(QUICK[breaking], QUICK[breaking] + RESERVE)
    found = (outcome for outcome in play_all(seeds, breaking) if outcome.violation is not None)
    outcome = next(found, None)
    assert outcome is not None, f"{breaking} was not found in {RESERVE} seeds"
    report = told(outcome, breaking)
    assert f"scripts/simulate --seed {outcome.plan.seed} --break {breaking}" in report
    assert outcome.violation is not None
    assert outcome.violation.complaint in report


def test_the_product_is_whole_after_it_was_broken(store: Store) -> None:
    before = play(5, store).digest
    play(5, store, "submit-retried-on-timeout")
    assert play(5, store).digest == before


def test_seeds_played_in_several_processes_come_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "SIZE", 3)
    breaking = "crowd-subscribers"
    several = [(part.counts, part.report) for part in parts.in_parts(range(6), breaking, 2)]
    alone = [parts.played(seeds, breaking) for seeds in (range(3), range(3, 6))]
    assert several == [(part.counts, part.report) for part in alone]
    assert f"--break {breaking}" in str(alone[0].report)


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
