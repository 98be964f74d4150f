"""The pairs of limit and action that can occur."""

from roomcast.policies.hits import Action, no_hits


def test_each_scrape_begins_with_every_pair_that_can_occur_at_zero() -> None:
    hits = no_hits()

    assert set(hits.values()) == {0}
    assert ("head_max_bytes", "refused") in hits
    assert ("head_max_bytes", "closed") not in hits


def test_counters_of_two_relays_are_not_shared() -> None:
    hits = no_hits()

    hits["rooms_max", Action.REFUSED] += 1

    assert no_hits()["rooms_max", Action.REFUSED] == 0
