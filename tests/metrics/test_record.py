"""The record of endings: what it remembers, what it forgets, and for whom."""

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomcast.metrics.record import AT_ONCE, Ending, Record

Kind = Literal["refused", "closed"]


def ending(
    number: int, kind: Kind = "closed", at_s: float = 0.0, address: str = "", origin: str | None = None
) -> Ending:
    return Ending(
        id=f"k7c2m9qa.{number}",
        kind=kind,
        at_s=at_s,
        reason="gone",
        code=None,
        age_s=1.0,
        address=address,
        origin=origin,
    )


def numbers(found: list[Ending]) -> list[int]:
    return [int(one.id.partition(".")[2]) for one in found]


def test_ending_is_found_by_id_address_and_origin() -> None:
    record = Record(10, 60)
    record.add(ending(1, address="203.0.113.9", origin="https://a.example"))
    record.add(ending(2, "refused", address="203.0.113.9"))

    assert numbers(record.find("id", "k7c2m9qa.1", 5)) == [1]
    assert numbers(record.find("origin", "https://a.example", 5)) == [1]
    assert sorted(numbers(record.find("address", "203.0.113.9", 5))) == [1, 2]
    assert record.find("id", "k7c2m9qa.3", 5) == []


def test_newest_come_first_and_no_more_than_wanted() -> None:
    record = Record(20, 60)
    for number in range(10):
        record.add(ending(number, ("refused", "closed")[number % 2], at_s=number, address="a"))

    assert numbers(record.find("address", "a", 3)) == [9, 8, 7]


def test_flood_of_refusals_leaves_the_closes() -> None:
    record = Record(10, 60)
    record.add(ending(1))
    for number in range(2, 100):
        record.add(ending(number, "refused"))

    assert numbers(record.find("id", "k7c2m9qa.1", 1)) == [1]
    assert len(record) == 6


def test_flood_from_one_address_makes_room_for_itself_only() -> None:
    record = Record(20, 60)
    others = [f"203.0.113.{number}" for number in range(5)]
    for number, address in enumerate(others):
        record.add(ending(number, address=address))
    for number in range(100, 1000):
        record.add(ending(number, address="198.51.100.1"))

    # And whoever comes after the flood.
    for number in range(2000, 2003):
        record.add(ending(number, address=f"192.0.2.{number - 2000}"))

    assert [len(record.find("address", address, 9)) for address in others] == [1] * 5
    assert numbers(record.find("address", "198.51.100.1", 9)) == [999, 998]
    assert len(record) == 10


def test_addresses_that_have_equally_many_make_room_in_turn() -> None:
    record = Record(12, 60)
    for number in range(6):
        record.add(ending(number, address="ab"[number % 2]))

    record.add(ending(6, address="c"))
    record.add(ending(7, address="c"))

    assert [len(record.find("address", address, 9)) for address in "abc"] == [2, 2, 2]


def test_of_an_address_whose_endings_are_forgotten_nothing_is_left() -> None:
    record = Record(4, 60)

    for number in range(100):
        record.add(ending(number, address=str(number)))

    assert len(record._halves["closed"]._shares._counts) == 2


def test_old_endings_are_forgotten_everywhere() -> None:
    record = Record(10, 60)
    record.add(ending(1, at_s=0.0, address="a", origin="o"))
    record.add(ending(2, at_s=30.0, address="a", origin="o"))

    record.forget_old(61.0)

    assert (numbers(record.find("address", "a", 9)), numbers(record.find("origin", "o", 9))) == ([2], [2])
    assert record.find("id", "k7c2m9qa.1", 9) == []


def test_flood_that_has_grown_old_is_forgotten_in_turns_and_told_by_nobody_meanwhile() -> None:
    record = Record(4 * AT_ONCE, 60)
    for number in range(AT_ONCE + 1):
        record.add(ending(number, at_s=0.0, address="a"))
    record.add(ending(9999, at_s=30.0, address="a"))

    there_is_more = record.forget_old(61.0)
    left = len(record)
    told = numbers(record.find("address", "a", 9, 61.0))

    assert (there_is_more, left, told) == (True, 2, [9999])
    assert (record.forget_old(61.0), len(record)) == (False, 1)


def test_record_of_none_remembers_nothing() -> None:
    record = Record(0, 60)

    record.add(ending(1))
    record.add(ending(2, "refused"))

    assert len(record) == 0


def test_smaller_record_keeps_the_newest() -> None:
    record = Record(20, 60)
    for number in range(10):
        record.add(ending(number, at_s=number, address="a"))

    record.limit(4, 5.0)
    record.forget_old(9.0)
    assert numbers(record.find("address", "a", 9)) == [9, 8]

    record.forget_old(13.5)
    assert numbers(record.find("address", "a", 9)) == [9]


def test_much_smaller_record_forgets_in_turns_and_meanwhile_grows_no_more() -> None:
    record = Record(4 * AT_ONCE, 60)
    for number in range(AT_ONCE + 2):
        record.add(ending(number, address="a"))

    record.limit(2, 60)
    record.add(ending(9999, address="a"))
    assert len(record) == AT_ONCE + 2

    assert (record.forget_old(0.0), len(record)) == (True, 2)
    assert (record.forget_old(0.0), len(record)) == (False, 1)
    assert numbers(record.find("address", "a", 9)) == [9999]


@given(
    entries=st.integers(0, 12),
    steps=st.lists(
        st.tuples(st.sampled_from(["refused", "closed"]), st.sampled_from("abc"), st.integers(0, 3)), max_size=60
    ),
)
def test_indexes_agree_whatever_comes(entries: int, steps: list[tuple[Kind, str, int]]) -> None:
    record, now_s = Record(entries, 10.0), 0.0
    for number, (kind, address, passes_s) in enumerate(steps):
        now_s += passes_s
        record.add(ending(number, kind, now_s, address, origin=address.upper()))
        record.forget_old(now_s)

        by_address = [one for each in "abc" for one in record.find("address", each, 99)]
        by_origin = [one for each in "ABC" for one in record.find("origin", each, 99)]
        by_id = [one for known in range(number + 1) for one in record.find("id", f"k7c2m9qa.{known}", 99)]
        assert set(numbers(by_address)) == set(numbers(by_origin)) == set(numbers(by_id))
        assert len(record) == len(by_address) <= entries
        assert all(one.at_s >= now_s - 10.0 for one in by_address)


@pytest.mark.parametrize("entries", [1, 2, 3])
def test_odd_numbers_are_shared_out(entries: int) -> None:
    record = Record(entries, 60)
    for number in range(10):
        record.add(ending(number, "refused"))
        record.add(ending(100 + number))

    assert len(record) == entries
