"""Counters and histograms of one thread. Those of prometheus-client take a lock for each number that they change and
cost several times as much; they have to be good for any number of threads, and everything here is counted on one."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

Labels = tuple[str, ...]


class Tally:
    """Counts by labels, all of which are known at the start, so that each shows as 0 before anything happens."""

    def __init__(self, name: str, says: str, labels: Sequence[str] = (), values: Iterable[Labels] = ((),)) -> None:
        self._name, self._says, self._labels = name, says, labels
        self._counts = dict.fromkeys(values, 0)

    def add(self, *values: str) -> None:
        """One more. Raises `KeyError` for labels nobody knows."""
        self._counts[values] += 1

    def family(self) -> Metric:
        """As Prometheus reads it."""
        family = CounterMetricFamily(self._name, self._says, labels=self._labels)
        for values, count in self._counts.items():
            family.add_metric(values, count)
        return family


class Spread:
    """A histogram by labels. `bounds` are the upper bounds of its buckets, in order, each belonging to its bucket."""

    def __init__(
        self,
        name: str,
        says: str,
        bounds: Sequence[float],
        labels: Sequence[str] = (),
        values: Iterable[Labels] = ((),),
    ) -> None:
        self._name, self._says, self._labels = name, says, labels
        self._bounds = bounds
        self._counts = {one: [0] * (len(bounds) + 1) for one in values}
        self._sums = dict.fromkeys(self._counts, 0.0)

    def add(self, amount: float, *values: str) -> None:
        """One more of that amount. Raises `KeyError` for labels nobody knows."""
        self._counts[values][bisect_left(self._bounds, amount)] += 1
        self._sums[values] += amount

    def family(self) -> Metric:
        """As Prometheus reads it: each bucket counts all below its bound."""
        family = HistogramMetricFamily(self._name, self._says, labels=self._labels)
        names = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
        for values, counts in self._counts.items():
            below = [sum(counts[: place + 1]) for place in range(len(counts))]
            family.add_metric(values, list(zip(names, below, strict=True)), self._sums[values])
        return family
