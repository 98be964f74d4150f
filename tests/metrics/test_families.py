"""Families of plain numbers, as prometheus-client wants them."""

from __future__ import annotations

import pytest

from roomcast.metrics.families import counter, gauge, histogram
from roomcast.relay.counters import Histogram
from tests.metrics.scrape import Scrape


def test_label_is_a_word_where_there_is_one_and_more_are_in_their_order() -> None:
    families = [
        gauge("g", "G.", ["a"], {"x": 1, "y": 2}),
        counter("c_total", "C.", ["a", "b"], {("x", "y"): 3}),
    ]

    now = Scrape(iter(families))

    assert (now.value("g", a="x"), now.value("g", a="y"), now.value("c_total", a="x", b="y")) == (1, 2, 3)


def test_buckets_of_a_histogram_are_cumulated() -> None:
    values = Histogram([0.001, 0.0025, 2.5])
    for seconds in (0.0, 0.001, 0.002, 100.0):
        values.observe(seconds)

    now = Scrape(iter([histogram("h_seconds", "H.", values)]))

    assert [now.value("h_seconds_bucket", le=le) for le in ("0.001", "0.0025", "2.5", "+Inf")] == [2, 3, 3, 4]
    assert now.value("h_seconds_count") == 4
    assert now.value("h_seconds_sum") == pytest.approx(100.003)
