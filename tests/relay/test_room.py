from roomcast.relay.message import OVERHEAD_BYTES, Kind
from roomcast.relay.reasons import Reason
from roomcast.relay.room import PASS_BYTES
from tests.relay.fake_wire import message
from tests.relay.room_steps import SQUARES, a_room, enter, flush, hear, say

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
