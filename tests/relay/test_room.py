from typing import Any

import pytest

from roomcast.relay.counters import TemplateCounters
from roomcast.relay.message import OVERHEAD_BYTES, Kind
from roomcast.relay.reasons import Reason
from roomcast.relay.room import PASS_BYTES, Room, RoomRules
from tests.relay.fake_wire import GOODBYE, ROOMY, BracketFormat, FakeMember, message

ANGLES = BracketFormat(b"<>")
SQUARES = BracketFormat(b"[]", carries_binary=False)


def a_room(**rules: Any) -> Room:
    return Room("/rooms/a", RoomRules(**rules), TemplateCounters("rooms"))


def enter(room: Room, capacity: int = ROOMY, wire_format: BracketFormat = ANGLES) -> FakeMember:
    member = FakeMember(wire_format, capacity)
    member.enter(room.feed)
    room.join(member)
    return member


def say(room: Room, *payloads: bytes, sender: FakeMember | None = None, kind: Kind = Kind.TEXT) -> None:
    for payload in payloads:
        room.append(message(room.log.head + 1, payload, kind, sender))


def hear(*members: FakeMember) -> list[bytes]:
    """Return what each has read in all, when it reads whatever there is."""
    for member in members:
        member.drain()
    return [member.received for member in members]


def flush(room: Room) -> None:
    while room.at < room.log.head or room.is_flushing:
        room.flush(1_000)


# --- cohorts


def test_members_of_one_format_share_the_very_same_bytes() -> None:
    room = a_room()
    members = [enter(room) for _ in range(3)]
    say(room, b"one", b"two")

    flush(room)

    assert members[0].offers == [b"<one><two>"]
    assert members[1].offers[0] is members[0].offers[0] is members[2].offers[0]
    assert room.counters.delivered == 6


def test_each_format_has_a_burst_of_its_own() -> None:
    room = a_room()
    old, new = enter(room, wire_format=SQUARES), enter(room)
    say(room, b"one")

    flush(room)

    assert hear(old, new) == [b"[one]", b"<one>"]


def test_message_that_a_format_cannot_carry_is_not_offered_but_counted() -> None:
    room = a_room()
    old, new = enter(room, wire_format=SQUARES), enter(room)
    say(room, b"\x00\x01", kind=Kind.BINARY)

    flush(room)

    assert (old.offers, new.offers) == ([], [b"<\x00\x01>"])
    assert room.counters.dropped == {Reason.UNSUPPORTED: 1}


def test_sender_hears_all_but_its_own() -> None:
    room = a_room(echo=False)
    ann, bob = enter(room), enter(room)
    say(room, b"from ann", sender=ann)
    say(room, b"from bob", sender=bob)

    flush(room)

    assert hear(ann, bob) == [b"<from bob>", b"<from ann>"]
    assert room.counters.delivered == 2


def test_sender_hears_its_own_where_the_room_echoes() -> None:
    room = a_room(echo=True)
    ann, bob = enter(room), enter(room)
    say(room, b"from ann", sender=ann)

    flush(room)

    assert hear(ann, bob) == [b"<from ann>", b"<from ann>"]
    assert room.counters.delivered == 2


def test_sender_of_all_there_is_is_offered_nothing() -> None:
    room = a_room(echo=False)
    ann = enter(room)
    say(room, b"from ann", sender=ann)

    flush(room)

    assert ann.offers == []
    assert room.counters.delivered == 0


def test_sender_whose_kernel_is_full_is_still_spared_its_own() -> None:
    room = a_room(echo=False)
    ann = enter(room, capacity=4)
    say(room, b"one")
    say(room, b"from ann", sender=ann)
    say(room, b"two")

    flush(room)
    for _ in range(10):
        ann.drain()

    assert ann.received == b"<one><two>"


def test_newcomer_hears_what_was_published_before_it_but_not_yet_flushed() -> None:
    room = a_room()
    say(room, b"gathered")
    newcomer = enter(room)

    flush(room)

    assert hear(newcomer) == [b"<gathered>"]


def test_newcomer_hears_nothing_that_was_flushed_before_it() -> None:
    room = a_room()
    say(room, b"before")
    flush(room)
    newcomer = enter(room)
    say(room, b"after")

    flush(room)

    assert hear(newcomer) == [b"<after>"]


# --- passes


def test_room_that_owes_nothing_serves_nobody() -> None:
    room = a_room()
    enter(room)

    assert room.flush(64) == 0
    assert not room.is_flushing


def test_only_the_first_unflushed_message_is_news_to_the_hub() -> None:
    room = a_room()
    enter(room)
    enter(room)

    news = [room.append(message(1)), room.append(message(2))]
    room.flush(1)
    news.append(room.append(message(3)))
    flush(room)
    news.append(room.append(message(4)))

    assert news == [True, False, False, True]


def test_pass_goes_on_where_its_budget_ended() -> None:
    room = a_room()
    members = [enter(room) for _ in range(3)] + [enter(room, wire_format=SQUARES) for _ in range(2)]
    say(room, b"one")

    served = [(room.flush(2), room.is_flushing) for _ in range(3)]

    assert served == [(2, True), (2, True), (1, False)]
    assert all(len(member.offers) == 1 for member in members)


def test_message_of_mid_pass_waits_for_the_next() -> None:
    room = a_room()
    first, second = enter(room), enter(room)
    say(room, b"one")
    room.flush(1)
    say(room, b"two")

    room.flush(1)

    assert hear(first, second) == [b"<one>", b"<one>"]
    flush(room)
    assert hear(first, second) == [b"<one><two>", b"<one><two>"]


def test_newcomer_of_mid_pass_is_served_by_the_next() -> None:
    room = a_room()
    enter(room)
    enter(room)
    say(room, b"one")
    room.flush(1)
    newcomer = enter(room)
    say(room, b"two")

    flush(room)

    assert hear(newcomer) == [b"<two>"]


def test_pass_takes_no_more_of_the_log_than_it_may() -> None:
    room = a_room()
    member = enter(room)
    half = PASS_BYTES // 2 - OVERHEAD_BYTES
    say(room, b"x" * half, b"y" * half, b"z")

    flush(room)

    assert [len(offer) for offer in member.offers] == [2 * (half + 2), 3]


def test_room_whose_members_have_left_in_mid_pass_ends_it() -> None:
    room = a_room()
    stays, goes = enter(room), enter(room)
    say(room, b"one")
    room.flush(1)
    goes.is_dead = True
    room.leave(goes, Reason.GONE)
    room.leave(stays, Reason.GONE)

    room.flush(1)

    assert not room.is_flushing
    assert (room.counters.delivered, room.counters.dropped) == (1, {Reason.GONE: 1})
    assert room.member_count == room.counters.members == 0


def test_room_that_nobody_is_in_moves_on() -> None:
    room = a_room()
    say(room, b"one")

    assert room.flush(64) == 0
    assert (room.at, room.is_flushing, room.log.size_bytes) == (1, False, 0)


def test_dead_member_costs_the_others_nothing() -> None:
    room = a_room(echo=False)
    dead, alive = enter(room), enter(room)
    dead.is_dead = True
    say(room, b"one")
    say(room, b"own", sender=dead)

    flush(room)

    assert hear(alive) == [b"<one><own>"]
    assert room.counters.dropped == {Reason.GONE: 1}
    assert room.counters.laggards == 0


# --- laggards


def test_laggard_holds_the_rest_of_one_frame_and_reads_on_from_the_log() -> None:
    room = a_room()
    slow, quick = enter(room, capacity=7), enter(room)
    say(room, b"one", b"two", b"three")

    flush(room)

    assert (slow.rest, room.has_laggards, room.counters.laggards) == (b"wo>", True, 1)
    assert hear(quick) == [b"<one><two><three>"]
    for _ in range(4):
        slow.drain()
    assert slow.received == b"<one><two><three>"
    assert (room.has_laggards, room.counters.laggards, room.counters.delivered) == (False, 0, 6)


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
    assert room.counters.laggards == 0


# --- goodbyes


def test_member_that_is_owed_nothing_parts_at_once() -> None:
    room = a_room()
    member = enter(room)

    room.part(member, Reason.RESTART)

    assert (member.ending, room.member_count) == (Reason.RESTART, 0)
    assert hear(member) == [GOODBYE]


def test_goodbye_follows_what_was_published_before_it() -> None:
    room = a_room()
    member = enter(room)
    say(room, b"before")
    room.part(member, Reason.RESTART)
    flush(room)
    say(room, b"after")

    flush(room)

    assert hear(member) == [b"<before>" + GOODBYE]


def test_goodbye_of_mid_pass_waits_for_its_end() -> None:
    room = a_room()
    first, second = enter(room), enter(room)
    say(room, b"one")
    room.flush(1)

    room.part(first, Reason.PEER)
    room.part(second, Reason.PEER)
    room.flush(1)

    assert hear(first, second) == [b"<one>" + GOODBYE] * 2


def test_goodbye_that_one_pass_does_not_reach_waits_for_the_next() -> None:
    room = a_room()
    member = enter(room)
    say(room, b"x" * PASS_BYTES, b"two")
    room.part(member, Reason.PEER)

    room.flush(64)
    early = member.ending
    room.flush(64)

    assert early is None
    assert hear(member)[0].endswith(b"x><two>" + GOODBYE)


def test_goodbye_of_a_laggard_comes_when_it_has_caught_up() -> None:
    room = a_room()
    slow, quick = enter(room, capacity=7), enter(room)
    say(room, b"one", b"two")
    flush(room)

    room.part(slow, Reason.RATE)
    say(room, b"three")
    flush(room)
    for _ in range(6):
        slow.drain()

    assert hear(slow, quick) == [b"<one><two><three>" + GOODBYE, b"<one><two><three>"]
    assert slow.ending is Reason.RATE


def test_laggard_that_caught_up_before_its_goodbye_waits_for_the_rest() -> None:
    room = a_room()
    slow = enter(room, capacity=4)
    say(room, b"one")
    flush(room)
    say(room, b"two")
    room.part(slow, Reason.RATE)
    slow.capacity = ROOMY

    hear(slow)
    early = slow.ending
    flush(room)

    assert early is None
    assert hear(slow) == [b"<one><two>" + GOODBYE]


def test_first_goodbye_decides() -> None:
    room = a_room()
    member = enter(room)
    say(room, b"one")
    room.part(member, Reason.TOO_BIG)
    room.part(member, Reason.RESTART)

    flush(room)

    assert member.ending is Reason.TOO_BIG


def test_parting_member_whose_connection_ends_is_forgotten() -> None:
    room = a_room()
    member = enter(room)
    say(room, b"one")
    room.part(member, Reason.RESTART)
    room.leave(member, Reason.GONE)

    flush(room)

    assert member.ending is None


# --- publishers


def test_publisher_that_is_held_back_is_paused_once() -> None:
    room = a_room()
    publisher = enter(room)

    # `pause` itself complains of a second time.
    room.hold_back(publisher)
    room.hold_back(publisher)

    assert publisher.is_paused
    assert room.counters.publishers_paused == 1


def test_paused_publisher_is_read_again_when_half_is_flushed() -> None:
    room = a_room(pending_max_bytes=2 * (OVERHEAD_BYTES + PASS_BYTES))
    publisher = enter(room)
    say(room, *[b"x" * PASS_BYTES] * 3)
    room.hold_back(publisher)

    room.flush(64)
    after_a_third = publisher.is_paused
    say(room, b"one more")
    room.flush(64)
    a_little_over_half = publisher.is_paused
    room.flush(64)

    assert (after_a_third, a_little_over_half, publisher.is_paused) == (True, True, False)
    assert room.counters.publishers_paused == 0


def test_publisher_that_leaves_is_not_read_again() -> None:
    room = a_room(pending_max_bytes=1)
    publisher = enter(room)
    say(room, b"one")
    room.hold_back(publisher)

    room.leave(publisher, Reason.GONE)
    flush(room)

    assert publisher.is_paused
    assert room.counters.publishers_paused == 0


def test_publisher_that_parts_is_not_read_again() -> None:
    room = a_room(pending_max_bytes=1)
    publisher = enter(room, capacity=2)
    say(room, b"one")
    room.hold_back(publisher)

    room.part(publisher, Reason.RATE)
    flush(room)

    assert publisher.is_paused
    assert room.counters.publishers_paused == 0


# --- faults


def test_abandoned_room_lets_everybody_go() -> None:
    room = a_room()
    slow, first, second = enter(room, capacity=1), enter(room), enter(room)
    say(room, b"one")
    flush(room)
    say(room, b"two")
    room.flush(1)
    room.hold_back(first)
    room.part(second, Reason.RESTART)

    members = room.abandon()

    assert members == [slow, first, second]
    assert not room.is_flushing
    counters = room.counters
    assert room.member_count == counters.members == counters.laggards == counters.publishers_paused == 0
