from hypothesis import given
from hypothesis import strategies as st

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


@given(bounds=st.sets(st.integers(0, 20), min_size=1), values=st.lists(st.integers(-5, 25)))
def test_every_value_is_counted_below_the_first_bound_that_it_does_not_exceed(
    bounds: set[int], values: list[int]
) -> None:
    histogram = Histogram(sorted(bounds))

    for value in values:
        histogram.observe(value)

    assert (sum(histogram.counts), histogram.sum) == (len(values), sum(values))
    for number, bound in enumerate(histogram.bounds):
        assert sum(histogram.counts[: number + 1]) == sum(value <= bound for value in values)
