import json

import pytest

from .line import Line, Mark, at_least, at_most, compare, in_turn, percentile, ratios, short, table


@pytest.mark.parametrize(
    ("figure", "mark"), [(0.5, Mark.MET), (0.4, Mark.MET), (0.39, Mark.FLOOR), (0.3, Mark.FLOOR), (0.29, Mark.MISSED)]
)
def test_a_figure_that_is_to_be_large(figure: float, mark: Mark) -> None:
    assert at_least(0.4, floor=0.3).mark(figure) is mark


@pytest.mark.parametrize(
    ("figure", "mark"), [(1.1, Mark.MET), (1.2, Mark.MET), (1.21, Mark.FLOOR), (1.5, Mark.FLOOR), (1.51, Mark.MISSED)]
)
def test_a_figure_that_is_to_be_small(figure: float, mark: Mark) -> None:
    assert at_most(1.2, floor=1.5).mark(figure) is mark


def test_without_a_floor_there_is_met_and_missed() -> None:
    assert [at_most(10).mark(figure) for figure in (10, 10.1)] == [Mark.MET, Mark.MISSED]
    assert [at_least(4).mark(figure) for figure in (4, 3.9)] == [Mark.MET, Mark.MISSED]


def test_the_median_of_the_rounds_counts() -> None:
    line = Line("what", "limit", [0.1, 0.5, 9.0], at_least(0.4))
    assert (line.figure, line.mark) == (0.5, Mark.MET)


def test_ratios_are_taken_pair_by_pair() -> None:
    """The machine was half as fast in the second round, for both: the ratio stays."""
    rounds = {"ours": [100.0, 50.0, 90.0], "limit": [400.0, 200.0, 300.0], "again": [100.0, 40.0, 90.0]}
    line = compare("accept", "a bare server", at_least(0.4), rounds, "limit", figure=float, measured_in="a second")
    assert line.figures == [0.25, 0.25, 0.3]
    assert line.itself == [1.0, 1.25, 1.0]
    assert line.measured == {"ours": 90.0, "limit": 300.0}


def test_what_counts_of_a_measurement() -> None:
    rounds = {"idle": [[1.0, 2.0, 3.0]], "half": [[4.0, 5.0, 30.0]], "again": [[4.0, 4.0, 15.0]]}
    line = compare("p99", "idle", at_most(10), rounds, "idle", of="half", figure=max, measured_in="ms")
    assert (line.figures, line.itself) == ([10.0], [2.0])


def test_ratios_of_unequal_rounds_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratios([1.0, 2.0], [1.0])


@pytest.mark.parametrize(("share", "value"), [(0.5, 51), (0.99, 100), (1.0, 100), (0.0, 1)])
def test_percentile(share: float, value: int) -> None:
    assert percentile(list(range(100, 0, -1)), share) == value


def test_percentile_of_few() -> None:
    assert percentile([7.0], 0.99) == 7.0


def test_rounds_are_interleaved_and_turn_around() -> None:
    order: list[str] = []

    def one(name: str) -> int:
        order.append(name)
        return len(order)

    rounds = in_turn(3, ours=lambda: one("ours"), limit=lambda: one("limit"), again=lambda: one("again"))
    assert order == ["ours", "limit", "again", "again", "limit", "ours", "ours", "limit", "again"]
    assert rounds == {"ours": [1, 6, 7], "limit": [2, 5, 8], "again": [3, 4, 9]}


@pytest.mark.parametrize(
    ("value", "shown"), [(0.12345, "0.123"), (1.0, "1"), (12.345, "12.3"), (123.4, "123"), (12345.6, "12346")]
)
def test_figures_are_short(value: float, shown: str) -> None:
    assert short(value) == shown


def test_the_table() -> None:
    lines = [
        Line("accept", "limit", [0.31, 0.29, 0.35], at_least(0.4, floor=0.3), itself=[0.9, 1.1]),
        Line("help", "pass", [180.0], at_most(200), unit="ms", measured={"ours": 180.0, "pass": 12.0}),
    ]
    head, rule, accept, start = table(lines).splitlines()
    assert len({len(head), len(rule), len(accept), len(start)}) == 1
    assert [cell.strip() for cell in accept.strip("|").split("|")] == [
        "accept",
        "limit",
        "0.31",
        "0.29 … 0.35",
        "0.9 … 1.1",
        "≥ 0.4 (0.3)",
        "floor",
    ]
    assert [cell.strip() for cell in start.strip("|").split("|")] == [
        "help",
        "pass; 180 : 12",
        "180 ms",
        "180 … 180",
        "–",
        "≤ 200 ms",
        "met",
    ]


def test_the_document_is_json_with_all_that_the_table_rounds() -> None:
    line = Line("accept", "limit", [0.3111, 0.5], at_least(0.4, floor=0.3), itself=[1.0])
    document = json.loads(json.dumps(line.document()))
    assert document["figures"] == [0.3111, 0.5]
    assert (document["goal"], document["floor"], document["mark"]) == (0.4, 0.3, "met")
