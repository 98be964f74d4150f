"""Which rooms there are when nobody is in them, and which one goes for another."""

from typing import Any

import pytest

from roomcast.relay.counters import TemplateCounters
from roomcast.relay.history import DUE_AT_ONCE, ROOM_BYTES, SLACK_S, Histories
from roomcast.relay.message import Kind
from roomcast.relay.reasons import Reason
from roomcast.relay.room import Room
from roomcast.relay.rooms import RoomLimitError
from roomcast.relay.rules import RoomRules
from roomcast.relay.start import Gap, Position, Start, Wish
from tests.relay.driven_relay import ANGLES, EPOCH, Relay
from tests.relay.fake_wire import ROOMY, FakeMember

KEEPS: dict[str, Any] = {"history_messages": 100}
RULES = RoomRules(history_messages=100)


def desert(relay: Relay, path: str, payload: bytes = b"hello") -> Room:
    """Let somebody say something in a room, and leave it."""
    room, member = relay.join(path, **KEEPS)
    relay.flush(room, payload)
    relay.hub.leave(room, member, Reason.GONE)
    return room


def start(relay: Relay, path: str, wish: Wish) -> Start:
    """Return where one begins that joins, and leaves again."""
    room, member = relay.join(path, wish=wish, **KEEPS)
    found = room.find_start(wish, EPOCH, relay.loop.now_s)
    relay.hub.leave(room, member, Reason.GONE)
    return found


def test_room_that_keeps_something_stays_without_members(relay: Relay) -> None:
    room = desert(relay, "/rooms/a")

    _, back = relay.join("/rooms/a", wish=Wish(5), **KEEPS)
    back.drain()

    assert relay.hub.rooms == {"/rooms/a": room}
    assert bytes(back.taken) == b"<hello>"
    assert relay.counters.rooms == 1


def test_room_that_keeps_nothing_goes_with_its_last_member(relay: Relay) -> None:
    room, member = relay.join("/rooms/a", **KEEPS)

    relay.hub.leave(room, member, Reason.GONE)

    assert relay.hub.rooms == {}


def test_room_goes_when_the_last_that_it_keeps_has_grown_too_old(relay: Relay) -> None:
    desert(relay, "/rooms/a")

    relay.loop.now_s += RULES.history_max_age_s
    relay.hub.look()
    still_there = list(relay.hub.rooms)
    relay.loop.now_s += 1.1
    relay.hub.look()

    assert (still_there, list(relay.hub.rooms)) == (["/rooms/a"], [])
    assert len(relay.hub.histories) == 0


def test_room_with_members_stays_when_all_that_it_keeps_has_grown_too_old(relay: Relay) -> None:
    room, _ = relay.join("/rooms/a", **KEEPS)
    relay.flush(room)

    relay.loop.now_s += RULES.history_max_age_s + 1.1
    relay.hub.look()

    assert (list(relay.hub.rooms), len(room.log)) == (["/rooms/a"], 0)


def changed(relay: Relay, **rules: Any) -> None:
    """Let all rooms go by other rules."""
    new = RoomRules(**(KEEPS | rules))
    relay.hub.change_rules(lambda _: new)
    relay.loop.run_dry()


def test_quiet_room_forgets_at_once_what_may_be_kept_no_more(relay: Relay) -> None:
    room, _ = relay.join("/rooms/a", **KEEPS)
    for payload in (b"one", b"two", b"three"):
        relay.flush(room, payload)
    relay.loop.now_s += 10.0
    relay.flush(room, b"four")

    changed(relay, history_messages=3)
    fewer = len(room.log)
    changed(relay, history_max_age_s=5.0)

    assert (fewer, len(room.log)) == (3, 1)


def test_laggard_of_a_quiet_room_is_let_go_that_is_further_behind_than_it_may_be(relay: Relay) -> None:
    room, slow = relay.join("/rooms/a", capacity=1)
    for payload in (b"x" * 5_000, b"y" * 5_000):
        relay.flush(room, payload)
    relay.hub.sweep(room, slow)
    before = room.member_count

    changed(relay, history_messages=0, lag_max_bytes=5_000)
    relay.hub.sweep(room, slow)

    assert (before, room.member_count) == (1, 0)


def test_quiet_room_forgets_in_time_what_may_be_kept_for_less_long(relay: Relay) -> None:
    desert(relay, "/rooms/a")
    desert(relay, "/rooms/b")

    changed(relay, history_max_age_s=5.0)
    before = list(relay.hub.rooms)
    relay.loop.now_s += 5.0 + SLACK_S + 0.1
    relay.hub.look()

    assert (before, list(relay.hub.rooms)) == (["/rooms/a", "/rooms/b"], [])


def test_room_without_members_goes_when_its_new_rules_leave_nothing(relay: Relay) -> None:
    desert(relay, "/rooms/a")
    relay.loop.now_s += 10.0

    changed(relay, history_max_age_s=5.0)

    assert (dict(relay.hub.rooms), relay.hub.histories.held_bytes) == ({}, 0)


def test_rooms_without_members_keep_their_order_when_rules_change() -> None:
    relay = Relay(rooms_max=2)
    desert(relay, "/rooms/a")
    desert(relay, "/rooms/b")
    start(relay, "/rooms/a", Wish(1))

    changed(relay)
    relay.join("/rooms/c")

    assert set(relay.hub.rooms) == {"/rooms/a", "/rooms/c"}


def test_quiet_rooms_forget_what_is_too_much_from_now_on(relay: Relay) -> None:
    desert(relay, "/rooms/a")
    desert(relay, "/rooms/b")
    relay.hub.histories.limit_bytes = relay.hub.histories.held_bytes - 1

    relay.hub.look()

    assert list(relay.hub.rooms) == ["/rooms/b"]


def test_room_that_was_left_first_goes_where_another_is_to_be_opened() -> None:
    relay = Relay(rooms_max=2)
    desert(relay, "/rooms/a")
    desert(relay, "/rooms/b")
    # Somebody was in it again.
    start(relay, "/rooms/a", Wish(1))

    relay.join("/rooms/c")

    assert set(relay.hub.rooms) == {"/rooms/a", "/rooms/c"}
    assert relay.hub.rooms.evicted == 1
    assert relay.hub.histories.held_bytes == len(b"hello<hello>") + 256 + ROOM_BYTES


def test_rooms_with_members_are_not_to_be_had_for_another() -> None:
    relay = Relay(rooms_max=2)
    desert(relay, "/rooms/a")
    relay.join("/rooms/b", **KEEPS)
    may_open = relay.hub.refusal("/rooms/c", RULES)
    relay.join("/rooms/a", **KEEPS)

    assert (may_open, relay.hub.refusal("/rooms/c", RULES)) == (None, "rooms_max")
    with pytest.raises(RoomLimitError):
        relay.join("/rooms/c")


def test_room_whose_place_was_taken_comes_back_with_a_gap() -> None:
    relay = Relay(rooms_max=1)
    room = desert(relay, "/rooms/a")
    position = Position(EPOCH, room.at)
    relay.loop.now_s = 10.0
    desert(relay, "/rooms/b")
    relay.loop.now_s = 15.0

    assert start(relay, "/rooms/a", Wish(since=Position(EPOCH, 0))) == Start(2, Gap.OFFSET)
    # Nobody knows what was said in it meanwhile.
    assert start(relay, "/rooms/a", Wish(since=position)).gap is Gap.OFFSET
    assert start(relay, "/rooms/a", Wish(since_s=5)).gap is Gap.TIME
    assert start(relay, "/rooms/a", Wish(since_s=4)).gap is None


def test_time_before_the_relay_began_is_a_gap() -> None:
    relay = Relay()
    relay.loop.now_s = 5.0

    assert start(relay, "/rooms/a", Wish(since_s=4)).gap is None
    assert start(relay, "/rooms/a", Wish(since_s=5)).gap is Gap.TIME


def test_room_whose_messages_grew_too_old_long_ago_makes_no_gap_of_later_times(relay: Relay) -> None:
    desert(relay, "/rooms/a")

    relay.loop.now_s += RULES.history_max_age_s + 1.1
    relay.hub.look()

    assert start(relay, "/rooms/a", Wish(since_s=60)) == Start(1)


def test_room_that_is_forgotten_in_mid_pass_is_not_kept_by_its_end() -> None:
    relay = Relay(rooms_max=1)
    room, members = relay.fill("/rooms/a", 100, cost_s=0.010, **KEEPS)
    relay.say(room)
    relay.loop.end_turn()
    for member in members:
        member.is_dead = True
        relay.hub.leave(room, member, Reason.GONE)
    is_flushing = room.is_flushing

    relay.join("/rooms/b")
    relay.loop.run_dry()

    assert is_flushing
    assert list(relay.hub.rooms) == ["/rooms/b"]
    assert (len(relay.hub.histories), relay.hub.histories.held_bytes) == (0, 0)


def test_rooms_that_together_keep_too_much_forget_the_one_that_was_silent_for_longest() -> None:
    relay = Relay(histories=Histories(2 * ROOM_BYTES + 1_000))
    desert(relay, "/rooms/a")
    room, _ = relay.join("/rooms/b", **KEEPS)
    relay.flush(room)

    third = desert(relay, "/rooms/c")

    assert set(relay.hub.rooms) == {"/rooms/b", "/rooms/c"}
    assert (relay.hub.histories.forgotten, third.keeps_something) == (1, True)


def test_room_with_members_that_has_to_forget_stays_and_is_a_gap() -> None:
    relay = Relay(histories=Histories(ROOM_BYTES + 600))
    room, _ = relay.join("/rooms/a", **KEEPS)
    relay.flush(room)

    desert(relay, "/rooms/b")

    assert set(relay.hub.rooms) == {"/rooms/a", "/rooms/b"}
    assert start(relay, "/rooms/a", Wish(since=Position(EPOCH, 0))) == Start(1, Gap.OFFSET)


def test_what_is_said_in_a_room_nobody_knows_is_nobody_s_offset(relay: Relay) -> None:
    said = relay.hub.publish_to("/rooms/a", RoomRules(), relay.counters, Kind.TEXT, b"hello")

    room, _ = relay.join("/rooms/a")

    assert (said.members, room.at) == (0, said.offset)


def test_room_in_which_a_backend_goes_on_speaking_is_not_the_one_that_goes() -> None:
    relay = Relay(rooms_max=2)
    desert(relay, "/rooms/a")
    desert(relay, "/rooms/b")
    relay.hub.publish_to("/rooms/a", RULES, relay.counters, Kind.TEXT, b"news")

    relay.join("/rooms/c")

    assert set(relay.hub.rooms) == {"/rooms/a", "/rooms/c"}


def test_what_grew_too_old_and_a_laggard_still_needs_is_not_looked_after_without_end(relay: Relay) -> None:
    for number in range(DUE_AT_ONCE + 1):
        room, _ = relay.join(f"/rooms/{number}", capacity=1, **KEEPS)
        relay.flush(room, b"old")
    relay.loop.run_dry()
    relay.loop.now_s = RULES.history_max_age_s + 2 * SLACK_S
    for room in list(relay.hub.rooms.values()):
        relay.flush(room, b"young")

    relay.hub.look()
    relay.loop.wait()
    relay.loop.wait()

    assert relay.loop.timers == []
    assert {len(room.log) for room in relay.hub.rooms.values()} == {2}


def test_second_look_does_not_go_on_beside_the_first(relay: Relay) -> None:
    for number in range(3 * DUE_AT_ONCE):
        relay.hub.publish_to(f"/rooms/{number}", RULES, relay.counters, Kind.TEXT, b"old")
    relay.loop.run_dry()
    relay.loop.now_s = RULES.history_max_age_s + 2 * SLACK_S

    relay.hub.look()
    relay.hub.look()

    assert len(relay.loop.timers) == 1


def test_rooms_that_grow_too_old_together_are_all_looked_after_and_not_in_one_go(relay: Relay) -> None:
    for number in range(2 * DUE_AT_ONCE + 1):
        relay.hub.publish_to(f"/rooms/{number}", RULES, relay.counters, Kind.TEXT, b"old")
    relay.loop.run_dry()
    relay.loop.now_s = RULES.history_max_age_s + 2 * SLACK_S

    relay.hub.look()
    at_once = len(relay.hub.rooms)
    relay.loop.run_dry()

    assert at_once == DUE_AT_ONCE + 1
    assert not relay.hub.rooms


def test_what_has_grown_too_old_is_told_nobody_though_it_was_not_forgotten_yet(relay: Relay) -> None:
    room = desert(relay, "/rooms/a")
    relay.loop.now_s += RULES.history_max_age_s + 0.1

    begun = start(relay, "/rooms/a", Wish(5)).cursor

    assert room.log.first <= room.log.head
    assert begun == room.at


# --- rooms of the relay's own


def test_room_of_the_relay_s_own_carries_messages_and_is_in_no_list_and_no_count(relay: Relay) -> None:
    counters = TemplateCounters("own")
    room = relay.hub.rooms.open_aside("/-/own", RoomRules(echo=True), counters)
    member = FakeMember(ANGLES, ROOMY)
    room.join(member)

    relay.hub.publish(room, Kind.TEXT, b"hello", member)
    relay.loop.end_turn()

    assert bytes(member.taken) == b"<hello>"
    assert (relay.hub.rooms, relay.counters.rooms, counters.members) == ({}, 0, 1)
    relay.hub.part(room, member, Reason.PEER)
    assert relay.hub.rooms.find("/-/own") is room


def test_room_of_the_relay_s_own_that_is_opened_anew_begins_with_nobody(relay: Relay) -> None:
    rooms, counters = relay.hub.rooms, TemplateCounters("own")
    first = rooms.open_aside("/-/own", RULES, counters)
    first.join(FakeMember(ANGLES, ROOMY))

    second = rooms.open_aside("/-/own", RULES, counters)

    assert rooms.find("/-/own") is second
    assert second.member_count == 0


def test_limit_of_rooms_keeps_no_room_of_the_relay_s_own_out_and_counts_none() -> None:
    relay = Relay(rooms_max=1)
    relay.hub.rooms.open_aside("/-/own", RULES, TemplateCounters("own"))

    room, _ = relay.join("/rooms/a")

    assert relay.hub.rooms.find("/rooms/a") is room
    assert relay.hub.rooms.refusal("/rooms/b", RULES) == "rooms_max"
