"""Who comes most, in a table that does not grow: never more than the truth, and never less by more than it may."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from roomcast.relay.heavy_hitters import HeavyHitters

ADDITIONS = st.lists(st.tuples(st.sampled_from("abcdefghijkl"), st.integers(1, 100)), max_size=200)


def table_of(rows_max: int, *additions: tuple[str, int]) -> HeavyHitters:
    table = HeavyHitters(rows_max)
    for key, weight in additions:
        table.add(key, weight)
    return table


def test_keys_are_counted_and_the_most_frequent_come_first() -> None:
    table = table_of(100, ("b", 1), ("a", 1), ("c", 1), ("c", 1))

    assert table.most(2) == [("c", 2), ("a", 1)]


def test_weight_counts_as_so_many() -> None:
    table = table_of(100, ("a", 3), ("b", 5), ("a", 4))

    assert table.most(10) == [("a", 7), ("b", 5)]
    assert table.total == 12


def test_table_does_not_grow_and_what_comes_again_and_again_stays() -> None:
    table = HeavyHitters(rows_max=3)

    for number in range(1000):
        table.add(f"made-up-{number}")
        table.add("real")

    most = table.most(10)
    assert len(most) == 3
    assert most[0] == ("real", 1000)
    # Never more than there were.
    assert all(count == 1 for _, count in most[1:])


def test_row_is_taken_only_when_the_table_is_full() -> None:
    table = table_of(2, ("a", 1), ("b", 1))
    assert table.most(10) == [("a", 1), ("b", 1)]

    table.add("c")

    assert table.most(10) == [("b", 1), ("c", 1)]


def test_row_is_taken_of_the_one_that_is_rarest_now_and_not_of_the_one_that_was() -> None:
    table = table_of(2, ("a", 1), ("b", 2), ("a", 9))

    table.add("c")

    # It inherited 2, and came once.
    assert table.most(10) == [("a", 10), ("c", 1)]


@given(st.integers(1, 5), ADDITIONS)
def test_nobody_is_counted_too_often_nor_too_seldom_by_more_than_the_average_row(
    rows_max: int, additions: list[tuple[str, int]]
) -> None:
    table = table_of(rows_max, *additions)

    truth: Counter[str] = Counter()
    for key, weight in additions:
        truth[key] += weight
    counts = table.counts()
    allowance = table.total / rows_max
    assert table.total == truth.total()
    assert len(counts) == min(len(truth), rows_max)
    assert all(truth[key] - allowance <= count <= truth[key] for key, count in counts.items())
    # Whoever has more than the average row is there.
    assert all(key in counts for key, count in truth.items() if count > allowance)
