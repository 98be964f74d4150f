"""Families of plain numbers, made for prometheus-client: from counts by label, and from our histograms."""

from collections.abc import Mapping, Sequence

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from roomcast.relay.counters import Histogram

Series = Mapping[str, int] | Mapping[tuple[str, str], int] | Mapping[tuple[str, str, str], int]
"""Values by label values: a bare word where the family has one label."""


def gauge(name: str, text: str, labels: Sequence[str], series: Series) -> Metric:
    """Return a family of gauges: what is so now."""
    family = GaugeMetricFamily(name, text, labels=labels)
    _fill(family, series)
    return family


def counter(name: str, text: str, labels: Sequence[str], series: Series) -> Metric:
    """Return a family of counters: what has happened."""
    family = CounterMetricFamily(name, text, labels=labels)
    _fill(family, series)
    return family


def _fill(family: GaugeMetricFamily | CounterMetricFamily, series: Series) -> None:
    for key, value in series.items():
        family.add_metric((key,) if isinstance(key, str) else key, value)


def histogram(name: str, text: str, values: Histogram) -> Metric:
    """Return a family with one histogram in it, whose unit is that of its bounds."""
    buckets: list[tuple[str, float]] = []
    total = 0
    # Prometheus' buckets are cumulated, "at most le"; ours are not, so that an
    # observation touches one integer instead of all above it.
    for bound, count in zip((*map(float, values.bounds), "+Inf"), values.counts, strict=True):
        total += count
        buckets.append((str(bound), total))
    return HistogramMetricFamily(name, text, buckets, values.sum)
