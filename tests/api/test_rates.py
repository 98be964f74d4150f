from __future__ import annotations

import pytest
from falcon import HTTPContentTooLarge, HTTPError, HTTPTooManyRequests

from roomcast.api.directory import Terms
from roomcast.api.rates import HolderRates
from roomcast.relay.counters import TemplateCounters
from roomcast.relay.rules import RoomRules


def terms(messages_per_s: int = 0, bytes_per_s: int = 0) -> Terms:
    return Terms("rooms", RoomRules(), TemplateCounters("rooms"), 0, messages_per_s, bytes_per_s)


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_holder_may_send_in_each_room_what_a_member_may() -> None:
    clock = Clock()
    rates = HolderRates(clock)

    rates.admit("a", "/one", terms(5), 1, count=10)
    with pytest.raises(HTTPTooManyRequests) as caught:
        rates.admit("a", "/one", terms(5), 1)
    rates.admit("a", "/two", terms(5), 1, count=10)
    rates.admit("b", "/one", terms(5), 1, count=10)
    clock.now_s = 2.0
    rates.admit("a", "/one", terms(5), 1, count=10)

    assert dict(caught.value.headers or {})["Retry-After"] == "2"


def test_bytes_count_as_well() -> None:
    rates = HolderRates(Clock())

    rates.admit("a", "/one", terms(bytes_per_s=50), 100)

    with pytest.raises(HTTPTooManyRequests, match="429"):
        rates.admit("a", "/one", terms(bytes_per_s=50), 1)


@pytest.mark.parametrize(("size_bytes", "count"), [(0, 11), (101, 1)])
def test_more_than_can_ever_pass_is_another_refusal_and_counts_for_nothing(size_bytes: int, count: int) -> None:
    rates = HolderRates(Clock())

    with pytest.raises(HTTPError) as caught:
        rates.admit("a", "/one", terms(5, 50), size_bytes, count)
    rates.admit("a", "/one", terms(5, 50), 100, count=10)

    assert caught.value.status_code == HTTPContentTooLarge().status_code == 413


def test_nothing_is_counted_where_nothing_is_limited() -> None:
    rates = HolderRates(Clock(), rates_max=0)

    for _ in range(100):
        rates.admit("a", "/one", terms(), 1 << 30, count=1_000)
    rates.give_back("a", "/one", 1, 1)


def test_what_was_not_sent_is_given_back() -> None:
    rates = HolderRates(Clock())
    rates.admit("a", "/one", terms(5), 1, count=10)

    rates.give_back("a", "/one", 1, 10)

    rates.admit("a", "/one", terms(5), 1, count=10)


def test_as_many_are_remembered_as_were_used_last() -> None:
    rates = HolderRates(Clock(), rates_max=2)
    for room in ("/one", "/two"):
        rates.admit("a", room, terms(5), 1, count=9)
    rates.admit("a", "/one", terms(5), 1)

    rates.admit("a", "/three", terms(5), 1)

    # The second was forgotten, and has its whole burst; the first was not.
    rates.admit("a", "/two", terms(5), 1, count=10)
    with pytest.raises(HTTPTooManyRequests):
        rates.admit("a", "/three", terms(5), 1, count=10)
