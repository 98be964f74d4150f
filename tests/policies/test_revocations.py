"""Subjects whose tokens are refused: which of their tokens, and for how long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomcast.policies.revocations import Revocations

DAY_S = 86_400.0


def revoked(*, now_s: float = 100.0, ttl_s: float = DAY_S, leeway_s: float = 0.0) -> Revocations:
    revocations = Revocations(leeway_s=leeway_s)
    revocations.add("alice", now_s=now_s, ttl_s=ttl_s)
    return revocations


@pytest.mark.parametrize(("issued_s", "is_refused"), [(99.0, True), (100.0, True), (100.5, False), (None, True)])
def test_tokens_issued_until_then_are_refused_and_later_ones_are_not(issued_s: float | None, is_refused: bool) -> None:
    assert revoked().holds("alice", issued_s=issued_s, now_s=101.0) is is_refused


def test_clock_of_the_issuer_may_be_ahead_by_the_leeway() -> None:
    assert revoked(leeway_s=5).holds("alice", issued_s=105.0, now_s=106.0)
    assert not revoked(leeway_s=5).holds("alice", issued_s=105.5, now_s=106.0)


@pytest.mark.parametrize("subject", ["bob", "Alice", "", None])
def test_nobody_else_is_refused(subject: str | None) -> None:
    assert not revoked().holds(subject, issued_s=None, now_s=101.0)


@pytest.mark.parametrize(("now_s", "is_refused"), [(159.9, True), (160.0, False)])
def test_entry_is_forgotten_when_its_time_is_over(now_s: float, is_refused: bool) -> None:
    assert revoked(ttl_s=60).holds("alice", issued_s=1.0, now_s=now_s) is is_refused


def test_second_revocation_reaches_later_tokens_and_shortens_nothing() -> None:
    revocations = revoked(ttl_s=60)

    revocations.add("alice", now_s=110.0, ttl_s=1)

    assert revocations.holds("alice", issued_s=110.0, now_s=159.0)
    assert len(revocations) == 1


def test_what_is_over_makes_place_for_others() -> None:
    revocations = Revocations(entries_max=1)

    assert not revocations.add("alice", now_s=100.0, ttl_s=10)
    assert not revocations.add("bob", now_s=110.0, ttl_s=10)

    assert len(revocations) == 1


def test_where_there_is_no_place_the_one_that_would_have_ended_first_is_given_up() -> None:
    revocations = Revocations(entries_max=2)
    revocations.add("alice", now_s=100.0, ttl_s=50)
    revocations.add("bob", now_s=100.0, ttl_s=10)

    assert revocations.add("carol", now_s=101.0, ttl_s=1)

    refused = [name for name in ("alice", "bob", "carol") if revocations.holds(name, issued_s=1.0, now_s=101.5)]
    assert refused == ["alice", "carol"]


def test_one_that_is_there_already_costs_nobody_its_place() -> None:
    revocations = Revocations(entries_max=1)
    revocations.add("alice", now_s=100.0, ttl_s=50)

    assert not revocations.add("alice", now_s=101.0, ttl_s=50)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.floats(0, 100), st.floats(0.1, 100)), max_size=30))
def test_list_never_grows_beyond_its_limit_and_the_newest_is_always_on_it(
    added: list[tuple[str, float, float]],
) -> None:
    revocations = Revocations(entries_max=3)

    for subject, now_s, ttl_s in added:
        revocations.add(subject, now_s=now_s, ttl_s=ttl_s)

        assert len(revocations) <= 3
        assert revocations.holds(subject, issued_s=None, now_s=now_s)
