"""Which metrics there are, with their labels and the values of these; and what a text in PromQL names that is none.

Both come from a relay: what it exports when it has just started is all that it ever will,
because every series begins at zero. No list is kept here but of what Prometheus brings itself.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Final

import promql_parser
from prometheus_client.parser import text_string_to_metric_families

# What no relay says of itself: Prometheus, or whoever tells it what to scrape, adds these to every series.
OF_TARGETS: Final = frozenset({"job", "instance", "namespace"})
OF_PROMETHEUS: Final = {"up": frozenset[str](), "ALERTS": frozenset({"alertname", "alertstate"})}
# Their values come from the configuration, from versions, or from a histogram's bounds.
FREE: Final = frozenset({"template", "room", "version", "python", "gevent", "le"})
# Of a matcher that lists words; any other regular expression is about names that somebody else gives.
_WORDS: Final = re.compile(r"[\w|]*")

Series = dict[str, dict[str, set[str]]]
"""The values of each label, by metric and label."""


def series_of(scrape: str) -> Series:
    """Return the series of a scrape in Prometheus' text form, without when they were created."""
    series: Series = {}
    for family in text_string_to_metric_families(scrape):
        for sample in family.samples:
            labels = series.setdefault(sample.name, defaultdict(set))
            for label, value in sample.labels.items():
                labels[label].add(value)
    return series


def complaints(expression: str, series: Series, recorded: Iterable[str] = ()) -> list[str]:
    """Return what an expression names, and no relay exports; raises ValueError where it is no PromQL.

    Args:
        expression: PromQL, with its variables replaced.
        series: Of a relay, as ``series_of`` gives them.
        recorded: Names of series that rules make: their labels are what the rules leave.
    """
    found: list[str] = []
    named: list[promql_parser.Expr] = []
    promql_parser.walk(promql_parser.parse(expression), named.append)
    known = OF_TARGETS.union(*(labels for labels in series.values()), *OF_PROMETHEUS.values())
    for part in named:
        match part:
            case promql_parser.VectorSelector():
                found += _of_selector(part, series, frozenset(recorded))
            case promql_parser.MatrixSelector():
                found += _of_selector(part.vector_selector, series, frozenset(recorded))
            case _:
                found += [f"no series has the label {label}" for label in _grouping(part) if label not in known]
    return list(dict.fromkeys(found))


def _of_selector(selector: promql_parser.VectorSelector, series: Series, recorded: frozenset[str]) -> Iterator[str]:
    name = selector.name or ""
    matchers = selector.matchers.matchers
    if name in recorded:
        # Whatever its label is called, its values are those of some metric.
        everything: dict[str, set[str]] = defaultdict(set)
        for labels in series.values():
            for label, values in labels.items():
                everything[label] |= values
        labels = everything
    elif name in OF_PROMETHEUS:
        return
    elif name not in series:
        yield f"there is no {name}"
        return
    else:
        labels = series[name]
    for matcher in matchers:
        yield from unknown_values(name, matcher.name, matcher.value, labels)


def unknown_values(name: str, label: str, value: str, labels: dict[str, set[str]]) -> Iterator[str]:
    """Yield what is wrong with one matcher of a metric with these labels."""
    if label in OF_TARGETS:
        return
    if label not in labels:
        yield f"{name} has no label {label}"
    elif label not in FREE and _WORDS.fullmatch(value):
        yield from (f"{name} has no {label} {word}" for word in value.split("|") if word not in labels[label])


def _grouping(part: Any) -> list[str]:
    """Return the labels of ``by``, ``without``, ``on``, ``ignoring`` and ``group_left``."""
    modifier = getattr(part, "modifier", None)
    if modifier is None:
        return []
    if isinstance(part, promql_parser.AggregateExpr):
        return list(modifier.labels)
    matching = modifier.matching.labels if modifier.matching is not None else []
    return [*matching, *(modifier.group_labels or [])]
