from roomcast.relay.counters import Histogram, TemplateCounters
from roomcast.relay.reasons import Reason


def test_value_on_a_bound_belongs_below_it() -> None:
    histogram = Histogram([1.0, 2.0])

    for value in (0.5, 1.0, 1.5, 2.0, 2.5):
        histogram.observe(value)

    assert histogram.counts == [2, 2, 1]
    assert histogram.sum == 7.5


def test_histogram_begins_at_zero() -> None:
    histogram = Histogram([1.0])

    assert (histogram.bounds, histogram.counts, histogram.sum) == ((1.0,), [0, 0], 0.0)


def test_drops_add_up_by_reason() -> None:
    counters = TemplateCounters("rooms")

    counters.drop(Reason.GONE, 2)
    counters.drop(Reason.LAGGING, 1)
    counters.drop(Reason.GONE, 3)

    assert counters.dropped == {Reason.GONE: 5, Reason.LAGGING: 1}


def test_reason_for_which_nothing_was_dropped_is_not_named() -> None:
    counters = TemplateCounters("rooms")

    counters.drop(Reason.GONE, 0)

    assert counters.dropped == {}
