"""What `/metrics` says, as numbers."""

from collections.abc import Mapping

import httpx2 as httpx
from prometheus_client.parser import text_string_to_metric_families

Samples = Mapping[tuple[str, tuple[tuple[str, str], ...]], float]


class Reading:
    """One answer of `/metrics`."""

    def __init__(self, answer: httpx.Response) -> None:
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("text/plain; version=")
        self.families = list(text_string_to_metric_families(answer.text))
        self.samples: Samples = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in self.families
            for sample in family.samples
        }

    @property
    def names(self) -> set[str]:
        """The names of all samples, as queries name them."""
        return {name for name, _ in self.samples}

    def labels(self, name: str) -> set[str]:
        """The labels of a metric, without those of a histogram's buckets."""
        found = {label for of, labels in self.samples for label, _ in labels if of.startswith(name)}
        return found - {"le"}

    def __call__(self, name: str, **labels: str) -> float:
        return self.samples[name, tuple(sorted(labels.items()))]
