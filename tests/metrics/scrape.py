"""One scrape, as a test looks at it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser

parse_openmetrics: Callable[[str], Iterable[Metric]] = parser.text_string_to_metric_families


class Scrape:
    """What one scrape says, by series."""

    def __init__(self, families: Iterator[Metric]) -> None:
        self.families = {family.name: family for family in families}

    def value(self, sample: str, **labels: str) -> float:
        found = [s.value for f in self.families.values() for s in f.samples if (s.name, s.labels) == (sample, labels)]
        assert len(found) == 1, f"{sample}{labels} is there {len(found)} times"
        return found[0]

    def values(self, sample: str) -> list[float]:
        return [s.value for f in self.families.values() for s in f.samples if s.name == sample]

    def labels(self, sample: str, label: str) -> set[str]:
        return {s.labels[label] for f in self.families.values() for s in f.samples if s.name == sample}
