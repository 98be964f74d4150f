"""The places for connections and handshakes: taken together, given back apart, and none lost on the way."""

from __future__ import annotations

import pytest

from roomcast.policies.limits import AddressCounts
from roomcast.transport.places import Places
from roomcast.transport.reports import Reports
from tests.idle import idle_counters, idle_reports

ADA, BOB = "203.0.113.1", "203.0.113.2"


def places(
    *,
    connections_max: int = 0,
    handshakes_max: int = 0,
    connections_of: int = 0,
    handshakes_of: int = 0,
    reports: Reports | None = None,
) -> Places:
    return Places(
        connections_max=connections_max,
        handshakes_max=handshakes_max,
        connections=AddressCounts(connections_of),
        handshakes=AddressCounts(handshakes_of),
        reports=reports or idle_reports(),
    )


def claim(there: Places, address: str) -> str | None:
    """Return the limit that keeps a newcomer from this address out."""
    refusal = there.claim(address)
    assert refusal is None or dict(refusal.headers)["Retry-After"]
    return refusal.limit if refusal is not None else None


def test_last_place_is_no_spare_one() -> None:
    for there in (places(connections_max=2), places(handshakes_max=2)):
        before = there.has_spare()
        claim(there, ADA)

        assert (before, there.has_spare()) == (True, False)


def test_places_without_a_limit_are_always_to_spare() -> None:
    there = places()
    claim(there, ADA)

    assert there.has_spare()


@pytest.mark.parametrize(
    ("there", "limit"),
    [
        (places(connections_max=2), "connections_max"),
        (places(handshakes_max=2), "handshakes_max"),
        (places(connections_of=2), "connections_per_address"),
        (places(handshakes_of=2), "handshakes_per_address"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_there_are_as_many_places_as_the_limit_says(there: Places, limit: str) -> None:
    assert [claim(there, ADA) for _ in range(4)] == [None, None, limit, limit]
    assert (there.connections, there.handshakes) == (2, 2)
    # Who finds no place has taken none: the first that is given back is free.
    there.end_handshake(ADA)
    there.release(ADA)
    assert [claim(there, ADA) for _ in range(2)] == [None, limit]


@pytest.mark.parametrize(
    ("there", "status", "outcome"),
    [
        (places(connections_max=1), 503, "full"),
        (places(handshakes_max=1), 503, "full"),
        (places(connections_of=1), 429, "address_limit"),
        (places(handshakes_of=1), 429, "address_limit"),
    ],
)
def test_whoever_finds_no_place_is_told_whose_fault_it_is(there: Places, status: int, outcome: str) -> None:
    there.claim(ADA)

    refusal = there.claim(ADA)

    assert refusal is not None
    assert (refusal.status, refusal.outcome) == (status, outcome)


def test_members_have_no_place_among_the_handshakes() -> None:
    there = places(handshakes_max=1, handshakes_of=1)

    for _ in range(5):
        assert claim(there, ADA) is None
        there.end_handshake(ADA)

    assert (there.connections, there.handshakes) == (5, 0)


def test_address_without_a_place_leaves_the_others_theirs() -> None:
    there = places(connections_of=1, handshakes_of=1)

    assert [claim(there, address) for address in (ADA, ADA, BOB)] == [None, "connections_per_address", None]


def test_other_limits_hold_for_newcomers_and_count_who_is_there() -> None:
    there = places()
    claim(there, ADA)

    def limit(*, connections_of: int = 0, handshakes_of: int = 0, is_proxy: bool = False) -> str | None:
        there.change(
            connections_max=0,
            handshakes_max=0,
            connections_per_address=connections_of,
            handshakes_per_address=handshakes_of,
            is_proxy=lambda _: is_proxy,
        )
        return claim(there, ADA)

    assert limit(connections_of=1) == "connections_per_address"
    assert limit(handshakes_of=1) == "handshakes_per_address"
    assert limit(connections_of=1, handshakes_of=1, is_proxy=True) is None
    assert (there.connections, there.handshakes) == (2, 2)


def test_visitor_for_whose_address_there_is_no_place_keeps_those_that_it_has() -> None:
    there = places(connections_of=1, handshakes_of=1)
    claim(there, ADA)
    claim(there, BOB)

    refusal = there.reclaim(ADA, claimed=BOB)

    assert refusal is not None
    # Given back once, when its connection ends: had it lost them now, another would have them twice.
    assert claim(there, BOB) == "connections_per_address"


def test_connection_that_is_only_reported_has_a_place_all_the_same() -> None:
    there = places(connections_of=1, reports=idle_reports("connections_per_address"))

    assert [claim(there, ADA) for _ in range(2)] == [None, None]
    assert there.most_of_one_address(lambda _: False) == 2


def test_handshake_too_many_gives_the_connection_s_place_back() -> None:
    there = places(connections_of=2, handshakes_of=1)

    assert [claim(there, ADA) for _ in range(3)] == [None, "handshakes_per_address", "handshakes_per_address"]
    there.end_handshake(ADA)

    assert claim(there, ADA) is None


@pytest.mark.parametrize(("connections_of", "handshakes_of"), [(1, 0), (0, 1)])
def test_places_go_over_to_the_client_for_whom_a_proxy_speaks(connections_of: int, handshakes_of: int) -> None:
    there = places(connections_of=connections_of, handshakes_of=handshakes_of)
    there.claim(ADA)

    assert there.reclaim(BOB, ADA) is None

    assert claim(there, ADA) is None
    assert claim(there, BOB) == ("connections_per_address" if connections_of else "handshakes_per_address")


@pytest.mark.parametrize(("connections_of", "handshakes_of"), [(1, 0), (0, 1)])
def test_client_that_finds_no_place_keeps_those_of_its_proxy(connections_of: int, handshakes_of: int) -> None:
    there = places(connections_of=connections_of, handshakes_of=handshakes_of)
    there.claim(BOB)
    there.claim(ADA)

    refusal = there.reclaim(BOB, ADA)

    assert refusal is not None
    there.end_handshake(ADA)
    there.release(ADA)
    assert claim(there, ADA) is None
    assert claim(there, BOB) is not None


def test_address_whose_limits_are_only_reported_has_all_the_places_it_wants() -> None:
    counters = idle_counters()
    both = ("connections_per_address", "handshakes_per_address")
    there = places(connections_of=1, handshakes_of=2, reports=idle_reports(*both, counters=counters))

    assert [claim(there, ADA) for _ in range(4)] == [None] * 4
    assert there.reclaim(ADA, BOB) is None

    assert [counters.limit_hits[limit, "reported"] for limit in both] == [4, 3]
    assert (there.connections, there.handshakes) == (4, 4)


def test_place_that_was_one_too_many_is_given_back_like_any_other() -> None:
    counters = idle_counters()
    there = places(connections_of=1, reports=idle_reports("connections_per_address", counters=counters))

    for _ in range(3):
        there.claim(ADA)
    for _ in range(3):
        there.end_handshake(ADA)
        there.release(ADA)
    there.claim(ADA)

    assert counters.limit_hits["connections_per_address", "reported"] == 2
