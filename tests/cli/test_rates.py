"""Rates over the last five seconds, by a clock that the test holds."""

import pytest

from roomcast.cli.rates import Rate


def test_nothing_has_no_rate() -> None:
    assert Rate(100.0).per_s(100.0) == (0, 0)


def test_first_second_counts_as_a_whole_one() -> None:
    rate = Rate(100.0)
    for _ in range(3):
        rate.note(100.0, 10)

    assert rate.per_s(100.0) == (3, 30)


def test_steady_stream_has_its_rate() -> None:
    rate = Rate(0.0)
    for tenth in range(1000):
        rate.note(tenth / 10, 7)

    messages, size_bytes = rate.per_s(100.0)
    assert messages == pytest.approx(10, rel=0.01)
    assert size_bytes == pytest.approx(70, rel=0.01)


def test_what_is_older_than_the_window_is_forgotten_and_stays_in_the_sum() -> None:
    rate = Rate(0.0)
    rate.note(0.5, 10)

    assert rate.per_s(4.0) == (0.25, 2.5)
    assert rate.per_s(5.0) == (0, 0)
    assert (rate.messages, rate.size_bytes) == (1, 10)
