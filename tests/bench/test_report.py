import json

import pytest

from .line import Line, at_least
from .report import document, measure
from .size import QUICK, Size

LINE = Line("accept", "limit", [0.5], at_least(0.4))


def broken(size: Size) -> list[Line]:
    raise SystemExit("only 3 of 4 arrived")


def test_one_that_cannot_be_measured_does_not_take_the_others_along(capsys: pytest.CaptureFixture[str]) -> None:
    lines, failed = measure({"deliver": broken, "accept": lambda size: [LINE]}, QUICK)
    assert (lines, failed) == ([LINE], {"deliver": "only 3 of 4 arrived"})
    assert "deliver: failed: only 3 of 4 arrived" in capsys.readouterr().err


def test_what_is_written_is_json() -> None:
    written = json.loads(json.dumps(document([LINE], {"deliver": "why"}, quick=True)))
    assert [line["mark"] for line in written["lines"]] == ["met"]
    assert (written["quick"], written["failed"]) == (True, {"deliver": "why"})
    assert written["machine"].keys() == {"processors", "platform", "python", "sqlite"}
