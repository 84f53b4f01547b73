"""Rows 12 and 20 by fuzzing, in short: no input breaks a rule; and where something is broken, an input is found."""

import subprocess
import sys
from pathlib import Path

import pytest

from .run import ENVIRONMENT, ROOT, fuzz, replay
from .targets import TARGETS

RUNS = {"body": 3_000, "token": 10_000, "request": 1_500}
WITHIN = 20_000
"""How many runs it may take to find what is broken."""


@pytest.mark.parametrize("target", TARGETS)
def test_no_input_breaks_a_rule(target: str, tmp_path: Path) -> None:
    outcome = fuzz(target, tmp_path, seed=1, runs=RUNS[target])
    assert outcome.report == "", f"scripts/fuzz --replay {outcome.finding} {target}"
    assert outcome.executions >= RUNS[target]
    assert outcome.covered[0] > 15


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_broken_is_found(target: str, tmp_path: Path) -> None:
    outcome = fuzz(target, tmp_path, seed=1, runs=WITHIN, broken=True)
    assert outcome.finding is not None, f"not found in {outcome.executions} runs"
    assert outcome.finding.exists()
    assert "Error: " in outcome.report


def test_coverage_leads_to_what_chance_does_not_find(tmp_path: Path) -> None:
    outcome = fuzz("ladder", tmp_path, seed=2, runs=1_000_000)
    assert outcome.finding is not None
    assert outcome.finding.read_bytes().startswith(b"OPEN"), "four bytes: one in 4,000,000,000"
    assert outcome.covered[1] > outcome.covered[0]
    assert outcome.kept[1] > outcome.kept[0]
    assert replay("ladder", outcome.finding).report == outcome.report


def test_the_script_plays_an_input_again(tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.write_bytes(b"a.b.c")
    command = [sys.executable, "-m", "tests.fuzz", "--replay", str(given), "token"]
    done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert done.stdout == f"{given} breaks nothing\n"
