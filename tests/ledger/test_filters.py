"""Which jobs a filter wants."""

from typing import Any

import pytest
from builders import NOW

from ledger.filters import matches
from ledger.job import Job

LABELS: dict[str, Any] = {
    "tenant": "acme",
    "tier": 1,
    "ratio": 1.5,
    "trial": True,
    "paid": False,
    "none": None,
    "zero": 0,
    "empty": "",
    "tags": ["a", "b"],
    "nested": {"a": 1},
    "name": "灯塔",
}


def job(**changes: Any) -> Job:
    fixed = {"id": "job_1", "provider": "dashscope", "model": "flux-dev", "status": "queued", "created_at": NOW}
    return Job(**(fixed | {"input": {}, "parameters": {}, "metadata": LABELS} | changes))


@pytest.mark.parametrize("wanted", [None, {}, {"metadata": {}}, {"metadata": None}])
def test_no_filter_wants_all(wanted: dict[str, Any] | None) -> None:
    assert matches(wanted, job())
    assert matches(wanted, job(metadata={}))


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("tenant", "acme", True),
        ("tenant", "Acme", False),
        ("tenant", "acm", False),
        ("name", "灯塔", True),
        ("tier", 1, True),
        ("tier", 1.0, True),  # JSON knows one kind of number
        ("tier", "1", False),
        ("tier", True, False),
        ("ratio", 1.5, True),
        ("trial", True, True),
        ("trial", 1, False),
        ("trial", "true", False),
        ("paid", False, True),
        ("paid", 0, False),
        ("paid", None, False),
        ("zero", 0, True),
        ("zero", False, False),
        ("empty", "", True),
        ("empty", None, False),
        ("none", None, True),
        ("none", "", False),
        ("missing", None, False),
        ("missing", "acme", False),
        ("tags", "a", False),
        ("nested", "a", False),
        ("tenant", ["other", "acme"], True),
        ("tenant", ["other"], False),
        ("tier", [True, 2], False),
        ("trial", [1, True], True),
        ("none", ["x", None], True),
        ("missing", [None], False),
    ],
)
def test_a_label_is_compared_by_value_and_type(name: str, value: Any, wanted: bool) -> None:
    assert matches({"metadata": {name: value}}, job()) is wanted


@pytest.mark.parametrize("field", ["model", "provider"])
def test_models_and_providers_may_be_alternatives(field: str) -> None:
    mine = getattr(job(), field)
    assert matches({field: mine}, job())
    assert matches({field: ["other", mine]}, job())
    assert not matches({field: "other"}, job())
    assert not matches({field: ["other", mine.upper()]}, job())


def test_every_line_must_hold() -> None:
    whole = {"metadata": {"tenant": "acme", "tier": [1, 2]}, "model": ["flux-dev"], "provider": "dashscope"}
    assert matches(whole, job())
    assert not matches(whole, job(model="flux-schnell"))
    assert not matches(whole, job(provider="acedata"))
    assert not matches(whole, job(metadata=LABELS | {"tier": 3}))
    assert not matches(whole, job(metadata={"tenant": "acme"}))
