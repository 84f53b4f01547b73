"""Torture in its short form: one scenario for each kind of blow. `scripts/torture` does the rest."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from databases import Postgres

from tests.torture.judge import Row
from tests.torture.process import ROOT
from tests.torture.scenarios import SCENARIOS, Databases, play
from tests.torture.steps import _PLACES, STEPS

SECONDS = 4
SHORT = (("kill", "sqlite"), ("kill", "postgres"))


@pytest.mark.parametrize(("name", "database"), SHORT)
def test_what_is_acknowledged_is_kept(name: str, database: str, request: pytest.FixtureRequest) -> None:
    shared: Postgres | None = request.getfixturevalue("postgres") if database == "postgres" else None
    row = play(name, database, "short", SECONDS, Databases(shared))
    assert row.broken == []
    assert (row.lost, row.unexpected, row.paid_twice) == (0, 0, 0)
    assert row.blows >= 1
    assert row.acknowledged >= 5


def test_every_scenario_says_what_it_does_and_every_step_has_its_place() -> None:
    assert all(scenario.what.endswith(".") for scenario in SCENARIOS.values())
    assert set(STEPS) == set(_PLACES)


def test_the_command_writes_its_table_and_fails_where_a_rule_is_broken(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.torture", "--database", "sqlite", "--scenario", "guard", "--minutes", "0"]
    env = {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    for sabotage, code in (("", 0), ("guard-off", 1)):
        found = tmp_path / f"{code}.json"
        given = [*command, f"--json={found}", *([f"--break={sabotage}"] if sabotage else [])]
        ended = subprocess.run(given, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120)
        assert ended.returncode == code, ended.stdout + ended.stderr
        (row,) = json.loads(found.read_text())["rows"]
        assert set(row) == set(Row("guard", "sqlite").document())
        assert bool(row["broken"]) == bool(code)
        assert "guard" in ended.stdout
