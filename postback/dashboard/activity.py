"""What attempts and arrivals amount to over time. Pure: samples in, numbers and the shapes of small plots out."""

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.clock import rfc3339
from ledger.rates import Step
from postback.dashboard import words

WIDTH = 300
HEIGHT = 60
GAP = 0.22
"""The part of a step's width that is left free between two bars."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What happened in some time: how many, how many of them were good, and what half and 95 of 100 took at most, in
    milliseconds; None where nothing happened. `estimated` if there were more than the sample."""

    count: float
    good: float
    p50: int | None
    p95: int | None
    estimated: bool


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar from `x` on, its good part above which its bad part stands, and what it says."""

    x: float
    width: float
    good: tuple[float, float]
    bad: tuple[float, float]
    says: str


@dataclass(frozen=True, slots=True)
class Bars:
    """Counts over time; `most` is the highest."""

    bars: Sequence[Bar]
    most: float


@dataclass(frozen=True, slots=True)
class Lines:
    """Durations over time, as paths of an SVG; `most` is the longest, in milliseconds."""

    low: str
    high: str
    most: int


def summary(steps: Sequence[Step], now: int) -> Summary:
    """All these steps together. The last one goes only until now."""
    weighted = sorted((one.took, weight) for step in steps for weight in [_weight(step, now)] for one in step.tries)
    count = sum(weight for _, weight in weighted)
    good = sum(_weight(step, now) for step in steps for one in step.tries if one.good)
    return Summary(
        count, good, _percentile(weighted, 0.5), _percentile(weighted, 0.95), any(step.more for step in steps)
    )


def bars(steps: Sequence[Step], now: int, noun: str) -> Bars:
    """How many in each step, good ones below and bad ones above."""
    each = [summary([step], now) for step in steps]
    most = max((one.count for one in each), default=0.0)
    width = WIDTH / max(1, len(steps))
    made = []
    for n, (step, one) in enumerate(zip(steps, each, strict=True)):
        good = one.good / most * HEIGHT if most else 0.0
        bad = (one.count - one.good) / most * HEIGHT if most else 0.0
        top = HEIGHT - good - bad
        says = f"{_span(step)}: {_about(one)}{words.number(round(one.count))} {noun}"
        if one.count > one.good:
            says += f", {words.number(round(one.count - one.good))} failed"
        x = round(n * width + width * GAP / 2, 2)
        good_part, bad_part = (round(top + bad, 2), round(good, 2)), (round(top, 2), round(bad, 2))
        made.append(Bar(x, round(width * (1 - GAP), 2), good_part, bad_part, says))
    return Bars(made, most)


def lines(steps: Sequence[Step], now: int) -> Lines:
    """What half and 95 of 100 took at most, in each step in which something happened."""
    each = [summary([step], now) for step in steps]
    most = max((one.p95 or 0 for one in each), default=0)
    return Lines(_path([one.p50 for one in each], most), _path([one.p95 for one in each], most), most)


def _weight(step: Step, now: int) -> float:
    """How many each of the sample stands for."""
    if not step.more:
        return 1.0
    covered = max(1, step.tries[-1].at - step.start + 1)
    return max(1.0, (min(step.end, max(now, step.start + 1)) - step.start) / covered)


def _percentile(weighted: Sequence[tuple[int, float]], share: float) -> int | None:
    left = share * sum(weight for _, weight in weighted)
    for took, weight in weighted:
        left -= weight
        if left <= 0:
            return took
    return weighted[-1][0] if weighted else None


def _path(values: Sequence[int | None], most: int) -> str:
    """Broken where there is no value; one that stands alone is a short stroke."""
    width = WIDTH / max(1, len(values))
    parts = []
    before = None
    for n, value in enumerate(values):
        if value is not None:
            x, y = (n + 0.5) * width, HEIGHT - value / max(1, most) * HEIGHT
            alone = before is None and (n + 1 == len(values) or values[n + 1] is None)
            parts.append(f"{'M' if before is None else 'L'}{x:.1f} {y:.1f}" + ("h2" if alone else ""))
        before = value
    return "".join(parts)


def _span(step: Step) -> str:
    return f"{rfc3339(step.start)[11:16]}–{rfc3339(step.end)[11:16]} UTC"


def _about(one: Summary) -> str:
    return "about " if one.estimated else ""
