from __future__ import annotations

from roomcast.metrics.canary import CanaryCounters, CanaryOutcome


def test_every_way_for_a_round_to_end_is_there_from_the_start() -> None:
    counters = CanaryCounters()

    assert counters.runs == dict.fromkeys(CanaryOutcome, 0)
    assert (counters.succeeded_s, sum(counters.round_trip.counts)) == (0, 0)
