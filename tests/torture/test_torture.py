"""Torture in its short form: one scenario for each kind of blow. `scripts/torture` does the rest."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from databases import Postgres
from e2e.eventually import eventually

from tests.torture.judge import Row
from tests.torture.process import ROOT
from tests.torture.scenarios import SCENARIOS, Databases, play
from tests.torture.steps import _PLACES, STEPS

SECONDS = 4
SHORT = (("kill", "sqlite"), ("kill", "postgres"))


@pytest.mark.parametrize(("name", "database"), SHORT)
def test_what_is_acknowledged_is_kept(name: str, database: str, request: pytest.FixtureRequest) -> None:
    shared: Postgres | None = request.getfixturevalue("postgres") if database == "postgres" else None
    row = play(Row(name, database), "short", SECONDS, Databases(shared))
    assert (row.broken, row.crash, row.judged) == ([], "", True)
    assert (row.lost, row.unexpected, row.paid_twice) == (0, 0, 0)
    assert row.blows >= 1
    assert row.acknowledged >= 5


def test_every_scenario_says_what_it_does_and_every_step_has_its_place() -> None:
    assert all(scenario.what.endswith(".") for scenario in SCENARIOS.values())
    assert set(STEPS) == set(_PLACES)


COMMAND = [sys.executable, "-m", "tests.torture", "--database", "sqlite", "--minutes", "0"]


def test_the_command_writes_its_table_and_fails_where_a_rule_is_broken(tmp_path: Path) -> None:
    for sabotage, code in (("", 0), ("guard-off", 1)):
        found = tmp_path / f"{code}.json"
        given = [*COMMAND, "--scenario=guard", f"--json={found}", *([f"--break={sabotage}"] if sabotage else [])]
        ended = subprocess.run(given, cwd=ROOT, env=environment(tmp_path), capture_output=True, text=True, timeout=120)
        assert ended.returncode == code, ended.stdout + ended.stderr
        (row,) = json.loads(found.read_text())["rows"]
        assert set(row) == set(Row("guard", "sqlite").document())
        assert bool(row["broken"]) == bool(code)
        assert ("noticed" if sabotage else "held") in ended.stdout
        assert "1 to play, each at least once: at least 0.1 minutes" in ended.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_command_says_what_it_did_and_leaves_nothing(number: signal.Signals, tmp_path: Path) -> None:
    found = tmp_path / "found.json"
    with begun(tmp_path, "--scenario=kill", f"--json={found}") as command:
        servers = eventually(lambda: children(command.pid), 60)
        command.send_signal(number)
        said, _ = command.communicate(timeout=60)
    assert command.returncode == 128 + number
    assert "not judged" in said
    document = json.loads(found.read_text())
    assert document["interrupted"] is True
    assert [row["judged"] for row in document["rows"]] == [False]
    # One that began while its parent ended is ended by the system, a moment later.
    eventually(lambda: not any(running(pid) for pid in servers), 30)
    assert not list(tmp_path.glob("postback-torture-*"))


def test_servers_die_with_a_command_that_is_killed(tmp_path: Path) -> None:
    with begun(tmp_path, "--scenario=kill") as command:
        eventually(lambda: list(tmp_path.glob("postback-torture-*/home/postback.sqlite3")), 60)
        (server,) = eventually(lambda: children(command.pid), 30)
        os.kill(server, signal.SIGSTOP)  # even one that cannot do anything about it
        command.kill()
        try:
            eventually(lambda: not running(server), 30)
        finally:
            if running(server):
                os.kill(server, signal.SIGKILL)


def environment(folder: Path) -> dict[str, str]:
    path = f"{ROOT}:{ROOT / 'tests'}:{ROOT / 'tests/ledger'}"
    return {"PYTHONPATH": path, "PATH": "/usr/bin:/bin", "HOME": str(folder), "TMPDIR": str(folder)}


@contextmanager
def begun(folder: Path, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """The command, while it runs."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [*COMMAND, *arguments], cwd=ROOT, env=environment(folder), stdout=pipe, stderr=subprocess.STDOUT, text=True
    ) as command:
        try:
            yield command
        finally:
            command.kill()


def children(pid: int) -> list[int]:
    """The servers that a process has begun."""
    found = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in found.read_text().split()] if found.exists() else []


def running(pid: int) -> bool:
    """Whether it runs; whoever ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
