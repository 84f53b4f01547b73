"""Holds docs/faults.md to the tests: every row is there once, and what it names exists."""

import ast
import re
from functools import cache
from pathlib import Path

from tests.torture.scenarios import SCENARIOS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/faults.md").read_text("utf-8")
ROWS = [*range(1, 16), *range(17, 21), *range(22, 55)]
STARRED = 15
TEST = re.compile(r"`(tests/\S+\.py)::(\w+)`")


def _table() -> dict[int, str]:
    rows = re.findall(r"^\| (\d+)( ★)? (\|.*)\|$", TEXT, re.MULTILINE)
    assert len({number for number, _, _ in rows}) == len(rows), "a number stands there twice"
    return {int(number): star + rest for number, star, rest in rows}


@cache
def _tests(path: str) -> set[str]:
    """The names of a file's tests."""
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}


def test_every_row_is_there() -> None:
    table = _table()
    assert sorted(table) == ROWS
    assert sum(row.startswith(" ★") for row in table.values()) == STARRED


def test_every_row_names_tests_that_exist() -> None:
    for number, row in _table().items():
        named = TEST.findall(row)
        assert named, number
        for path, name in named:
            assert name.startswith("test_"), (number, name)
            assert name in _tests(path), (number, path, name)
        assert row.count("`tests/") == len(named), f"row {number} has something that is no test"


def test_scenarios_exist_and_each_has_a_row() -> None:
    said = [names for row in _table().values() for names in re.findall(r"torture ((?:`[a-z-]+`(?:, )?)+)", row)]
    named = {name for names in said for name in re.findall(r"`([a-z-]+)`", names)}
    assert named <= SCENARIOS.keys()
    assert SCENARIOS.keys() - named == {"wires"}, (
        "connections that are delayed and garbled belong to no row of their own"
    )
