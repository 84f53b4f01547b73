"""One line of the table: what was measured, against what, how it came out, and what it should be. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import median
from typing import Any, TypeVar

T = TypeVar("T")


class Mark(StrEnum):
    """How a figure stands to its goal: it reaches it, only the floor, or neither; or there is none to reach."""

    MET = "met"
    FLOOR = "floor"
    MISSED = "missed"
    NONE = "–"


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure should be and what it must be. Make one with `at_least` or `at_most`."""

    value: float
    floor: float
    larger_is_better: bool

    def mark(self, figure: float) -> Mark:
        if self._reaches(figure, self.value):
            return Mark.MET
        return Mark.FLOOR if self._reaches(figure, self.floor) else Mark.MISSED

    def __str__(self) -> str:
        floor = f" ({self.floor:g})" if self.floor != self.value else ""
        return f"{'≥' if self.larger_is_better else '≤'} {self.value:g}{floor}"

    def _reaches(self, figure: float, bound: float) -> bool:
        return figure >= bound if self.larger_is_better else figure <= bound


def at_least(goal: float, floor: float | None = None) -> Goal:
    """A figure that is better the larger it is."""
    return Goal(goal, goal if floor is None else floor, True)


def at_most(goal: float, floor: float | None = None) -> Goal:
    """A figure that is better the smaller it is."""
    return Goal(goal, goal if floor is None else floor, False)


@dataclass(frozen=True, slots=True)
class Line:
    """`figures` are those of each round, and their median counts; `itself` are those of the same thing against itself.

    `measured` are the medians behind a ratio, by what they are of, and `measured_in` says what they count.
    """

    what: str
    against: str
    figures: Sequence[float]
    goal: Goal | None
    itself: Sequence[float] = ()
    unit: str = "×"
    measured: Mapping[str, float] = field(default_factory=dict)
    measured_in: str = ""

    @property
    def figure(self) -> float:
        return median(self.figures)

    @property
    def mark(self) -> Mark:
        return Mark.NONE if self.goal is None else self.goal.mark(self.figure)

    def document(self) -> dict[str, Any]:
        """The line as JSON."""
        return {
            "what": self.what,
            "against": self.against,
            "figure": self.figure,
            "unit": self.unit,
            "figures": list(self.figures),
            "itself": list(self.itself),
            "measured": dict(self.measured),
            "measured_in": self.measured_in,
            "goal": self.goal and self.goal.value,
            "floor": self.goal and self.goal.floor,
            "larger_is_better": self.goal and self.goal.larger_is_better,
            "mark": self.mark.value,
        }


def compare(
    what: str,
    against: str,
    goal: Goal | None,
    rounds: Mapping[str, Sequence[T]],
    other: str,
    *,
    of: str = "ours",
    again: str = "again",
    figure: Callable[[T], float],
    measured_in: str,
) -> Line:
    """The line of a ratio: in each round what was measured as `of`, divided by what was measured as `other`.

    `again` names another measurement of the first, beside it; `figure` is what counts of a measurement.
    """
    values = {name: [figure(one) for one in rounds[name]] for name in (of, other, again)}
    return Line(
        what,
        against,
        ratios(values[of], values[other]),
        goal,
        itself=ratios(values[of], values[again]),
        measured={name: median(values[name]) for name in (of, other)},
        measured_in=measured_in,
    )


def ratios(ones: Sequence[float], others: Sequence[float]) -> list[float]:
    """Each of the ones to the other that was measured beside it."""
    return [one / other for one, other in zip(ones, others, strict=True)]


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of all stays below, or the largest where there is none."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def in_turn(count: int, **measurements: Callable[[], T]) -> dict[str, list[T]]:
    """Measures each, so many times: one after the other, and every second round backwards, so that what changes
    meanwhile on the machine meets all of them. Give the same thing twice, as "again", to see how far it differs."""
    rounds: dict[str, list[T]] = {name: [] for name in measurements}
    for number in range(count):
        for name in list(measurements)[:: -1 if number % 2 else 1]:
            rounds[name].append(measurements[name]())
    return rounds


HEAD = ("what", "against", "median", "each", "against itself", "goal (floor)", "mark")


def table(lines: Sequence[Line]) -> str:
    """The lines as a table of Markdown, its columns aligned."""
    rows = [HEAD, *(_cells(line) for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    shown = [_row(row, widths) for row in rows]
    return "\n".join([shown[0], _row(["-" * width for width in widths], widths), *shown[1:]])


def _cells(line: Line) -> tuple[str, ...]:
    unit = "" if line.unit == "×" else f" {line.unit}"
    behind = " : ".join(f"{short(value)}" for value in line.measured.values())
    return (
        line.what,
        f"{line.against}; {behind} {line.measured_in}" if behind else line.against,
        short(line.figure) + unit,
        _spread(line.figures),
        _spread(line.itself) or "–",
        "–" if line.goal is None else f"{line.goal}{unit}",
        line.mark.value,
    )


def _spread(values: Sequence[float]) -> str:
    return f"{short(min(values))} … {short(max(values))}" if values else ""


def short(value: float) -> str:
    """A figure with as many digits as mean anything here: three, or all before the point."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"
