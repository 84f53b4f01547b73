"""Runs a target in a process of its own, and reads what libFuzzer says of it."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": ".:tests:tests/ledger", "PYTHONHASHSEED": "0"}
MISSING = "atheris has no wheel for this Python and platform; it is for Linux on x86-64"
MAX_INPUT = 4_096
SLOW_SECONDS = 20
"""How long one input may take."""


@dataclass(frozen=True)
class Outcome:
    """One run. `covered` are the branches that the seeds reached, and that were reached in the end; `kept` the same of
    inputs; `finding` is the file with the input that broke a rule, and `report` what was said of it."""

    target: str
    executions: int
    covered: tuple[int, int]
    kept: tuple[int, int]
    finding: Path | None
    report: str


class Broken(Exception):
    """The target did not run."""


def fuzz(target: str, folder: Path, *, seed: int, seconds: int = 0, runs: int = -1, broken: bool = False) -> Outcome:
    """Fuzzes for so many seconds, or so many runs; `folder` gets what was learnt and found. Raises `Broken`.

    `broken` plants a bug first.
    """
    kept = folder / target
    kept.mkdir()
    options = [
        f"-seed={seed}",
        f"-max_total_time={seconds}",
        f"-runs={runs}",
        f"-max_len={MAX_INPUT}",
        f"-timeout={SLOW_SECONDS}",
        f"-artifact_prefix={folder}/{target}-",
        "-reduce_inputs=0",
        "-print_final_stats=1",
    ]
    return _read(target, _child(target, broken, kept, options))


def replay(target: str, file: Path, *, broken: bool = False) -> Outcome:
    """Gives a target one input again. Raises `Broken`."""
    return _read(target, _child(target, broken, file, [f"-exact_artifact_path={os.devnull}"]))


def _child(target: str, broken: bool, given: Path, options: list[str]) -> str:
    plant = "broken" if broken else "whole"
    command = [sys.executable, "-m", "tests.fuzz.child", target, plant, str(given.resolve()), *options]
    done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True)
    said = done.stdout.decode("utf-8", "replace") + done.stderr.decode("utf-8", "replace")
    if done.returncode and "libFuzzer" not in said:
        raise Broken(said)
    return said


def _read(target: str, said: str) -> Outcome:
    covered = [int(number) for number in re.findall(r" cov: (\d+) ", said)] or [0]
    kept = [int(number) for number in re.findall(r" corp: (\d+)/", said)] or [0]
    executed = re.search(r"number_of_executed_units: *(\d+)", said)
    file = re.search(r"Test unit written to (\S+)", said)
    trouble = re.search(
        r"(=== Uncaught Python exception|==\d+== ERROR: libFuzzer).*?(?=\n\s*\n|\nMS: |\Z)", said, re.DOTALL
    )
    return Outcome(
        target,
        int(executed[1]) if executed else 0,
        (covered[0], covered[-1]),
        (kept[0], kept[-1]),
        Path(file[1]) if file else None,
        trouble[0] if trouble else "",
    )
