"""Who comes and goes is told to those who can be told, gathered, and in slices."""

from functools import partial

import pytest

from roomcast.relay.author import Author
from roomcast.relay.presence import News
from roomcast.relay.reasons import Reason
from roomcast.relay.room import Room
from roomcast.relay.rules import RoomRules
from roomcast.relay.slices import STEPS_PER_LOOK
from tests.relay.driven_relay import Relay
from tests.relay.fake_wire import ROOMY, BracketFormat, FakeMember

A = "/rooms/a"
TOLD, UNTOLD = BracketFormat(b"<>"), BracketFormat(b"[]", carries_binary=False)
RULES = RoomRules(presence=True, presence_interval_s=1.0)


def enter(relay: Relay, wire_format: BracketFormat = TOLD, rules: RoomRules = RULES) -> tuple[Room, FakeMember]:
    member = FakeMember(wire_format, ROOMY)
    room, _ = relay.hub.join(A, rules, relay.counters, member)
    member.enter(partial(relay.hub.feed, room), partial(relay.hub.leave, room), relay.hub.budget)
    return room, member


def heard(member: FakeMember) -> bytes:
    member.drain()
    return member.received


def test_first_to_come_is_told_of_at_once(relay: Relay) -> None:
    _, early = enter(relay)
    relay.loop.wait(0.0)
    relay.loop.wait(2.0)

    enter(relay)
    relay.loop.wait(0.0)

    assert heard(early) == b"{1 come, 0 gone, 1 there}{1 come, 0 gone, 2 there}"


def test_who_comes_soon_after_waits_for_the_interval_to_pass(relay: Relay) -> None:
    _, early = enter(relay)
    relay.loop.wait(0.0)

    for _ in range(3):
        enter(relay)
    relay.loop.wait(0.9)
    before = heard(early)
    relay.loop.wait(0.1)

    assert before == b"{1 come, 0 gone, 1 there}"
    assert heard(early) == before + b"{3 come, 0 gone, 4 there}"


def test_who_comes_and_goes_within_it_is_not_spoken_of(relay: Relay) -> None:
    room, early = enter(relay)
    relay.loop.wait(0.0)

    _, brief = enter(relay)
    relay.hub.leave(room, brief, Reason.GONE)
    relay.loop.wait(1.0)

    assert heard(early) == b"{1 come, 0 gone, 1 there}"


def test_who_goes_is_told_of_with_who_has_come(relay: Relay) -> None:
    room, early = enter(relay)
    _, leaver = enter(relay)
    relay.loop.wait(0.0)

    relay.hub.leave(room, leaver, Reason.GONE)
    enter(relay)
    relay.loop.wait(1.0)

    assert heard(early) == b"{2 come, 0 gone, 2 there}{1 come, 1 gone, 2 there}"


def test_format_that_cannot_be_told_hears_nothing_and_is_told_of(relay: Relay) -> None:
    _, early = enter(relay)
    _, raw = enter(relay, UNTOLD)
    relay.loop.wait(0.0)

    assert heard(raw) == b""
    assert heard(early) == b"{2 come, 0 gone, 2 there}"


def test_room_whose_template_does_not_say_so_tells_nobody(relay: Relay) -> None:
    room, early = enter(relay, rules=RoomRules())
    enter(relay, rules=RoomRules())
    relay.loop.wait(5.0)

    assert (heard(early), room.presence, relay.loop.timers) == (b"", None, [])


def test_laggard_is_told_too_and_one_that_may_hear_nothing_is_not(relay: Relay) -> None:
    room, slow = enter(relay)
    silent = FakeMember(TOLD, ROOMY)
    relay.hub.join(A, RULES, relay.counters, silent, is_listening=False)
    slow.capacity = 0
    relay.say(room)
    relay.loop.end_turn()
    assert slow in room.laggards

    relay.loop.wait(0.0)
    slow.capacity = ROOMY

    assert heard(silent) == b""
    # What is told is no message: it may overtake one that waits, though not a half-written one.
    assert heard(slow) == b""
    assert heard(slow) == b"{2 come, 0 gone, 2 there}<hello>"


def test_crowd_is_told_in_slices_and_nobody_twice(relay: Relay) -> None:
    members = [enter(relay)[1] for _ in range(3 * STEPS_PER_LOOK)]
    for member in members:
        # Each takes a while to be told.
        member.tell_cost = relay.loop.spend(0.001)
    relay.loop.wait(0.0)

    first_slice = sum(bool(heard(member)) for member in members)
    relay.loop.run_dry()

    assert first_slice == STEPS_PER_LOOK
    assert {heard(member) for member in members} == {b"{%d come, 0 gone, %d there}" % (len(members), len(members))}


def test_news_are_put_into_words_once_for_laggards_too(relay: Relay) -> None:
    spoken = BracketFormat(b"()")
    room, _ = enter(relay, spoken)
    slow = [enter(relay, spoken)[1] for _ in range(3)]
    for member in slow:
        member.capacity = 0
    relay.say(room)
    relay.loop.end_turn()
    assert len(room.laggards) == 3

    relay.loop.wait(0.0)

    assert spoken.announced == 1


def test_time_that_brought_nothing_to_tell_asks_for_no_more_timers_and_tells_nobody_early(relay: Relay) -> None:
    room, early = enter(relay)
    relay.loop.wait(0.0)

    for _ in range(100):
        _, brief = enter(relay)
        relay.hub.leave(room, brief, Reason.GONE)
    timers = len(relay.loop.timers)
    relay.loop.wait(1.0)
    enter(relay)
    relay.loop.wait(0.0)
    enter(relay)
    relay.loop.wait(0.9)

    assert timers == 1
    assert heard(early) == b"{1 come, 0 gone, 1 there}{1 come, 0 gone, 2 there}"


def test_observer_hears_of_each_room_until_it_looks_away(relay: Relay) -> None:
    news: list[News] = []
    observer = news.append
    relay.hub.announcer.observers[observer] = None

    room, member = enter(relay)
    relay.loop.wait(0.0)
    relay.hub.leave(room, member, Reason.GONE)
    relay.loop.wait(1.0)
    del relay.hub.announcer.observers[observer]
    enter(relay)
    relay.loop.wait(1.0)

    heard_of, [(_, come, [gone], members)] = news[0], news[1:]
    assert heard_of == News(A, [member], [], 1)
    # By name: whatever else belonged to it has gone with it.
    assert (come, type(gone), gone.id, members) == ([], Author, member.id, 0)


def test_room_that_is_left_by_all_before_it_was_told_anything_tells_nothing(relay: Relay) -> None:
    news: list[News] = []
    relay.hub.announcer.observers[news.append] = None
    room, member = enter(relay)

    relay.hub.leave(room, member, Reason.GONE)
    relay.loop.wait(1.0)

    assert news == []


def test_room_that_is_opened_again_tells_nothing_of_who_went_before(relay: Relay) -> None:
    news: list[News] = []
    relay.hub.announcer.observers[news.append] = None
    room, member = enter(relay)
    relay.loop.wait(0.0)

    relay.hub.leave(room, member, Reason.GONE)
    _, newcomer = enter(relay)
    relay.loop.wait(1.0)

    assert [(len(come), len(gone), members) for _, come, gone, members in news] == [(1, 0, 1), (0, 1, 0), (1, 0, 1)]
    # Its timer may still run.
    assert room.presence is not None
    assert room.presence.place is None
    assert heard(newcomer) == b"{1 come, 0 gone, 1 there}"


def test_observer_of_a_room_where_nobody_can_be_told_hears_no_more_often(relay: Relay) -> None:
    news: list[News] = []
    relay.hub.announcer.observers[news.append] = None
    enter(relay, UNTOLD)
    relay.loop.wait(0.0)

    for _ in range(3):
        enter(relay, UNTOLD)
        relay.loop.wait(0.1)

    assert len(news) == 1


def test_fault_in_telling_is_not_the_last_that_a_room_tells(relay: Relay) -> None:
    def fail(_: News) -> None:
        relay.hub.announcer.observers.clear()
        raise RuntimeError

    relay.hub.announcer.observers[fail] = None
    enter(relay)
    with pytest.raises(RuntimeError):
        relay.loop.wait(0.0)

    _, late = enter(relay)
    relay.loop.wait(1.0)

    assert heard(late) == b"{1 come, 0 gone, 2 there}"


def test_fault_in_a_room_s_last_words_leaves_no_half_of_it(relay: Relay) -> None:
    def fail(_: News) -> None:
        raise RuntimeError

    room, member = enter(relay, rules=RoomRules(presence=True, history_messages=5))
    relay.loop.wait(0.0)
    relay.flush(room)
    relay.hub.leave(room, member, Reason.GONE)
    relay.hub.announcer.observers[fail] = None

    with pytest.raises(RuntimeError):
        relay.hub.close_room(A)

    assert (relay.hub.rooms, len(relay.hub.histories), relay.hub.histories.held_bytes) == ({}, 0, 0)


def test_all_who_go_within_the_interval_are_told_of_together(relay: Relay) -> None:
    room, early = enter(relay)
    others = [enter(relay)[1] for _ in range(2)]
    relay.loop.wait(0.0)

    for member in others:
        relay.hub.leave(room, member, Reason.GONE)
    relay.loop.wait(1.0)

    assert heard(early) == b"{3 come, 0 gone, 3 there}{0 come, 2 gone, 1 there}"


def test_news_of_a_room_wait_while_another_s_are_being_told(relay: Relay) -> None:
    members = [enter(relay)[1] for _ in range(3 * STEPS_PER_LOOK)]
    for member in members:
        member.tell_cost = relay.loop.spend(0.001)
    relay.loop.wait(0.0)
    elsewhere = FakeMember(TOLD, ROOMY)
    relay.hub.join("/rooms/b", RULES, relay.counters, elsewhere)

    relay.loop.wait(0.0)
    meanwhile = heard(elsewhere)
    relay.loop.run_dry()

    assert (meanwhile, heard(elsewhere)) == (b"", b"{1 come, 0 gone, 1 there}")
    assert all(heard(member) for member in members)


def test_news_that_come_faster_than_they_are_told_are_gathered(relay: Relay) -> None:
    members = [enter(relay)[1] for _ in range(3 * STEPS_PER_LOOK)]
    for member in members:
        # To tell all of them takes longer than the interval.
        member.tell_cost = relay.loop.spend(RULES.presence_interval_s / STEPS_PER_LOOK)
    relay.loop.wait(0.0)
    enter(relay)
    for _ in range(3):
        relay.loop.wait(0.0)

    assert heard(members[0]) == b"{24 come, 0 gone, 24 there}"
    relay.loop.run_dry()
    assert heard(members[0]) == b"{24 come, 0 gone, 24 there}{1 come, 0 gone, 25 there}"
