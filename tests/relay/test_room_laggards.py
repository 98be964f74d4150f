"""Those who cannot keep up: how they are fed, when they are given up, what is counted."""

import pytest

from roomcast.relay.message import OVERHEAD_BYTES
from roomcast.relay.reasons import Reason
from roomcast.relay.room import PASS_BYTES, Room
from tests.relay.fake_wire import GOODBYE, ROOMY, FakeMember
from tests.relay.room_steps import a_room, enter, flush, hear, say

# --- laggards


def test_laggard_holds_the_rest_of_one_frame_and_reads_on_from_the_log() -> None:
    room = a_room()
    slow, quick = enter(room, capacity=7), enter(room)
    say(room, b"one", b"two", b"three")

    flush(room)

    assert (slow.rest, bool(room.laggards), room.counters.laggards) == (b"wo>", True, 1)
    assert hear(quick) == [b"<one><two><three>"]
    for _ in range(4):
        slow.drain()
    assert slow.received == b"<one><two><three>"
    assert (bool(room.laggards), room.counters.laggards, room.counters.delivered) == (False, 0, 6)


def test_laggard_that_caught_up_shares_the_next_burst() -> None:
    room = a_room()
    slow, quick = enter(room, capacity=7), enter(room)
    say(room, b"one", b"two")
    flush(room)
    hear(slow)
    hear(slow)
    say(room, b"three")

    flush(room)

    assert slow.offers[-1] is quick.offers[-1]


def test_half_written_frame_is_delivered_when_its_rest_is_out() -> None:
    room = a_room()
    slow = enter(room, capacity=7)
    say(room, b"one", b"two")

    flush(room)
    before = room.counters.delivered
    hear(slow)

    assert (before, room.counters.delivered) == (1, 2)


def test_member_that_waits_for_its_own_sake_lags_from_the_next_message_on() -> None:
    room = a_room()
    member = enter(room, capacity=3)
    member.control(b"{pong}")
    say(room, b"one")

    flush(room)
    while member.is_waiting:
        member.drain()
    hear(member)

    assert member.received == b"{pong}<one>"
    assert room.counters.laggards == 0


def test_laggard_is_fed_no_more_of_the_log_at_once_than_a_pass_takes() -> None:
    room = a_room()
    slow = enter(room, capacity=1)
    half = PASS_BYTES // 2 - OVERHEAD_BYTES
    say(room, b"one", b"x" * half, b"y" * half, b"z")
    flush(room)
    slow.capacity = ROOMY

    slow.drain()
    assert [len(offer) for offer in slow.offers[1:]] == [2 * (half + 2)]
    assert slow.is_waiting

    slow.drain()
    assert slow.offers[2:] == [b"<z>"]
    assert not slow.is_waiting


def test_laggard_that_catches_up_in_mid_pass_has_the_burst_of_that_pass() -> None:
    room = a_room()
    slow, first, second = enter(room, capacity=5), enter(room), enter(room)
    say(room, b"one", b"two")
    flush(room)
    say(room, b"three")
    room.flush(1)
    slow.capacity = ROOMY

    slow.drain()
    flush(room)

    assert room.counters.laggards == 0
    assert hear(slow, first, second) == [b"<one><two><three>"] * 3


def test_laggard_that_is_owed_nothing_but_its_own_has_caught_up() -> None:
    room = a_room(echo=False)
    slow = enter(room, capacity=3)
    say(room, b"one")
    flush(room)
    say(room, b"own", sender=slow)
    flush(room)

    slow.drain()

    assert (slow.offers, bytes(slow.taken), room.counters.laggards) == ([b"<one>"], b"<one>", 0)


def test_member_that_is_up_to_date_is_not_fed() -> None:
    room = a_room()
    member = enter(room)
    say(room, b"one")

    room.feed(member)

    assert member.offers == []


def test_log_is_kept_while_somebody_lags_and_no_longer() -> None:
    room = a_room()
    slow = enter(room, capacity=3)
    say(room, b"one", b"two")
    flush(room)
    kept = room.log.first

    slow.capacity = ROOMY
    hear(slow)

    assert (kept, room.log.first) == (1, 3)


def test_last_laggard_that_leaves_frees_the_log() -> None:
    room = a_room()
    slow = enter(room, capacity=3)
    say(room, b"one", b"two")
    flush(room)

    room.leave(slow, Reason.WRITE_TIMEOUT)

    assert room.log.size_bytes == 0
    assert room.counters.laggards == 0


def test_leaving_laggard_was_owed_its_half_frame_and_all_that_followed() -> None:
    room = a_room()
    slow = enter(room, capacity=7)
    say(room, b"one", b"two", b"three")
    flush(room)
    say(room, b"not flushed")

    room.leave(slow, Reason.WRITE_TIMEOUT)

    assert room.counters.delivered == 1
    assert room.counters.dropped == {Reason.WRITE_TIMEOUT: 3}


def test_leaving_member_that_is_up_to_date_was_owed_nothing() -> None:
    room = a_room()
    member = enter(room)
    say(room, b"not flushed")

    room.leave(member, Reason.GONE)

    assert room.counters.dropped == {}


@pytest.mark.parametrize("leaves_at_once", [True, False])
def test_laggard_found_dead_when_fed_is_counted_once(leaves_at_once: bool) -> None:
    room = a_room()
    slow = enter(room, capacity=5)
    say(room, b"one", b"two", b"three")
    flush(room)

    def die() -> None:
        slow.is_dead = True
        if leaves_at_once:
            room.leave(slow, Reason.GONE)

    slow.on_offer = die
    slow.drain()
    if not leaves_at_once:
        room.leave(slow, Reason.GONE)

    assert room.counters.dropped == {Reason.GONE: 2}
    assert room.counters.laggards == room.member_count == 0


# --- overflow

# The log keeps two messages without a payload to speak of, and not three.
TWO = 2 * (OVERHEAD_BYTES + 10)


def overflow(room: Room, slow: FakeMember) -> None:
    """Let a member with space for one byte fall behind by four messages, of which the log keeps two."""
    say(room, b"1")
    flush(room)
    for payload in (b"2", b"3", b"4"):
        say(room, payload)
        flush(room)
    assert slow.rest == b"1>"


def test_laggard_that_fell_too_far_behind_is_closed_when_it_wakes() -> None:
    room = a_room(overflow="close", lag_max_bytes=TWO)
    slow, quick = enter(room, capacity=1), enter(room)
    overflow(room, slow)

    slow.capacity = ROOMY
    hear(slow)

    assert slow.ending is Reason.LAGGING
    assert hear(slow, quick) == [b"<1>" + GOODBYE, b"<1><2><3><4>"]
    assert room.counters.dropped == {Reason.LAGGING: 3}
    assert room.member_count == 1
    assert room.log.size_bytes == 0


def test_laggard_at_the_very_end_of_what_is_kept_goes_on() -> None:
    room = a_room(overflow="close", lag_max_bytes=TWO + OVERHEAD_BYTES + 10)
    slow = enter(room, capacity=1)
    overflow(room, slow)

    slow.capacity = ROOMY
    hear(slow)

    assert hear(slow) == [b"<1><2><3><4>"]
    assert slow.ending is None


def test_laggard_that_never_wakes_is_closed_by_the_sweep() -> None:
    room = a_room(overflow="close", lag_max_bytes=TWO)
    slow = enter(room, capacity=1)
    overflow(room, slow)

    room.sweep(slow)

    assert slow.ending is Reason.LAGGING
    assert room.counters.dropped == {Reason.LAGGING: 4}
    assert room.member_count == 0


def test_sweep_spares_those_who_are_up_to_date_or_not_too_far_behind() -> None:
    room = a_room(overflow="close", lag_max_bytes=TWO)
    quick, slow = enter(room), enter(room, capacity=1)
    say(room, b"1", b"2")
    flush(room)

    room.sweep(quick)
    room.sweep(slow)

    assert room.member_count == 2


def test_sweep_has_nothing_to_do_where_laggards_skip() -> None:
    room = a_room(overflow="skip", lag_max_bytes=TWO)
    slow = enter(room, capacity=1)
    overflow(room, slow)

    room.sweep(slow)

    assert room.member_count == 1
    assert room.counters.dropped == {}


def test_laggard_that_skips_finishes_its_frame_and_goes_on_with_the_newest() -> None:
    room = a_room(overflow="skip", lag_max_bytes=TWO)
    slow = enter(room, capacity=1)
    overflow(room, slow)

    slow.capacity = ROOMY
    hear(slow)

    assert hear(slow) == [b"<1><4>"]
    assert room.counters.dropped == {Reason.LAGGING: 2}
    assert room.counters.skips == 1
    assert room.counters.laggards == 0
