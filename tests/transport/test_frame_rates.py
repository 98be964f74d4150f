"""The limits of frames that bring no message, with a clock in the test's hand."""

from __future__ import annotations

import pytest

from roomcast.protocol.errors import FrameError
from roomcast.transport.frame_rates import FrameRates
from tests.idle import idle_counters, idle_reports


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_one_frame_too_many_names_its_limit_and_its_close_code() -> None:
    clock = Clock()
    rates = FrameRates(control_frames_per_s=1, fragments_per_s=2, clock=clock, reports=idle_reports())
    control_s = rates.control(rates.control(0))
    fragments_s = rates.fragment(rates.fragment(rates.fragment(rates.fragment(0))))

    with pytest.raises(FrameError, match="more frames than control_frames_per_s = 1 allows") as control:
        rates.control(control_s)
    with pytest.raises(FrameError, match="more frames than fragments_per_s = 2 allows") as fragment:
        rates.fragment(fragments_s)

    assert (control.value.close_code, control.value.limit) == (1008, "control_frames_per_s")
    assert (fragment.value.close_code, fragment.value.limit) == (1008, "fragments_per_s")
    clock.now_s += 1
    assert rates.control(control_s) == control_s + 1


def test_rates_of_0_are_no_limit() -> None:
    rates = FrameRates(control_frames_per_s=0, fragments_per_s=0, clock=Clock(), reports=idle_reports())

    assert [rates.control(0) for _ in range(1000)] == [rates.fragment(0) for _ in range(1000)] == [0] * 1000


def test_rate_that_is_only_reported_counts_each_frame_too_many_and_lets_it_pass() -> None:
    counters, clock = idle_counters(), Clock()
    reports = idle_reports("control_frames_per_s", counters=counters)
    rates = FrameRates(control_frames_per_s=1, fragments_per_s=1, clock=clock, reports=reports)

    even_s: float = 0
    for _ in range(5):
        even_s = rates.control(even_s)

    assert counters.limit_hits["control_frames_per_s", "reported"] == 3
    # What was one too many costs the member nothing of its rate.
    clock.now_s += 2
    assert rates.control(rates.control(even_s))
    assert counters.limit_hits["control_frames_per_s", "reported"] == 3
    with pytest.raises(FrameError):
        rates.fragment(rates.fragment(rates.fragment(0)))


def test_limit_of_the_decoder_s_own_may_be_only_reported() -> None:
    assert FrameRates(0, 0, Clock(), idle_reports("fragments_max")).may_exceed("fragments_max")
    assert not FrameRates(0, 0, Clock(), idle_reports()).may_exceed("fragments_max")
