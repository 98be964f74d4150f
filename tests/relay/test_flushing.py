"""When rooms flush: at the end of a turn, which is bounded, and no room in front of all others."""

import pytest

from roomcast.relay.flushing import SERVED_PER_LOOK, TURN_S
from roomcast.relay.room import PASS_BYTES
from tests.relay.driven_relay import Relay, served
from tests.relay.fake_wire import message

# --- the end of a turn


def test_message_leaves_at_the_end_of_the_turn_and_not_before(relay: Relay) -> None:
    room, member = relay.join("/rooms/a")

    relay.say(room)
    before = list(member.offers)
    relay.loop.end_turn()

    assert (before, member.offers) == ([], [b"<hello>"])


def test_messages_of_one_turn_leave_as_one_burst(relay: Relay) -> None:
    room, member = relay.join("/rooms/a")

    relay.say(room, b"one")
    relay.say(room, b"two")
    relay.loop.end_turn()

    assert member.offers == [b"<one><two>"]


def test_rooms_of_one_turn_ask_for_it_once(relay: Relay) -> None:
    rooms = [relay.join(f"/rooms/{number}") for number in range(3)]

    for room, _ in rooms:
        relay.say(room)
        relay.say(room)

    assert len(relay.loop.soon_asked) == 1
    relay.loop.end_turn()
    assert served([member for _, member in rooms]) == 3


def test_turn_that_leaves_nothing_behind_asks_for_nothing(relay: Relay) -> None:
    room, _ = relay.join("/rooms/a")

    relay.say(room)
    relay.loop.end_turn()

    assert (relay.loop.soon_asked, relay.loop.timers) == ([], [])


def test_turn_without_work_does_no_harm(relay: Relay) -> None:
    relay.hub.flushing.turn()

    assert (relay.loop.soon_asked, relay.loop.timers) == ([], [])


def test_message_for_a_room_that_is_not_open_is_nobodys(relay: Relay) -> None:
    relay.hub.deliver(message(1))

    assert relay.loop.soon_asked == []


# --- a turn is bounded


def test_turn_ends_when_its_time_is_up_and_goes_on_behind_other_events(relay: Relay) -> None:
    room, members = relay.fill("/rooms/a", 1_000, cost_s=0.020, gather_max_s=0.0)

    relay.say(room)
    relay.loop.end_turn()

    # 20 µs each, and a look at the clock every 64: 2 ms are over at the second.
    assert served(members) == 2 * SERVED_PER_LOOK
    assert relay.loop.now_s == pytest.approx(2 * SERVED_PER_LOOK * 20e-6)
    assert relay.loop.soon_asked == []
    assert relay.loop.timers_s() == [0.0]


def test_pass_of_many_turns_reaches_everybody_once(relay: Relay) -> None:
    room, members = relay.fill("/rooms/a", 1_000, cost_s=0.020)

    relay.flush(room)

    assert [len(member.offers) for member in members] == [1] * 1_000
    assert relay.hub.flushing.durations.sum == pytest.approx(0.020)
    assert sum(relay.hub.flushing.durations.counts) == 1


def test_each_pass_is_timed_for_itself(relay: Relay) -> None:
    room, _ = relay.join("/rooms/a", cost_s=0.000_4)

    for _ in range(3):
        relay.flush(room)

    assert relay.hub.flushing.durations.sum == pytest.approx(3 * 0.000_4)
    assert relay.hub.flushing.durations.counts[2] == 3


def test_message_of_mid_pass_asks_for_no_turn_of_its_own(relay: Relay) -> None:
    room, members = relay.fill("/rooms/a", 1_000, cost_s=0.020, gather_max_s=0.0)
    relay.say(room, b"one")
    relay.loop.end_turn()

    relay.say(room, b"two")

    assert relay.loop.soon_asked == []
    relay.loop.run_dry()
    assert {member.received or bytes(member.taken) for member in members} == {b"<one><two>"}


def test_room_that_goes_on_never_asks_for_its_turn_in_the_midst_of_one(relay: Relay) -> None:
    # A chain of `soon` would keep the loop from reading. So a log of several
    # batches, each flushed in no time at all, has to end within the turn, or go on later.
    room, member = relay.join("/rooms/a", cost_s=TURN_S, gather_max_s=0.0)
    for _ in range(3):
        relay.say(room, b"x" * PASS_BYTES)

    relay.loop.end_turn()

    assert (len(member.offers), relay.loop.soon_asked, relay.loop.timers_s()) == (1, [], [0.0])
    relay.loop.wait()
    assert (len(member.offers), relay.loop.soon_asked, relay.loop.timers_s()) == (2, [], [0.0])


def test_several_batches_go_out_in_one_turn_while_there_is_time(relay: Relay) -> None:
    room, member = relay.join("/rooms/a", cost_s=0.000_1)
    for _ in range(3):
        relay.say(room, b"x" * PASS_BYTES)

    relay.loop.end_turn()

    assert len(member.offers) == 3
    assert (relay.loop.soon_asked, relay.loop.timers) == ([], [])


def test_small_room_does_not_wait_for_the_pass_of_a_large_one(relay: Relay) -> None:
    large, many = relay.fill("/rooms/large", 1_000, cost_s=0.010)
    small, few = relay.fill("/rooms/small", 2)
    relay.say(large)
    relay.say(small)

    relay.loop.end_turn()

    assert served(few) == 2
    assert served(many) < 1_000


def test_large_rooms_take_turns(relay: Relay) -> None:
    rooms = [relay.fill(f"/rooms/{number}", 200, cost_s=0.002) for number in range(3)]
    for room, _ in rooms:
        relay.say(room)

    relay.loop.end_turn()

    # 640 µs for 64 members: four looks at the clock, the fourth goes to the first room again.
    assert [served(members) for _, members in rooms] == [2 * SERVED_PER_LOOK, SERVED_PER_LOOK, SERVED_PER_LOOK]


def test_publisher_that_joins_a_busy_turn_finds_it_asked_for_already(relay: Relay) -> None:
    large, _ = relay.fill("/rooms/large", 1_000, cost_s=0.010)
    small, few = relay.fill("/rooms/small", 2)
    relay.say(large)
    relay.loop.end_turn()

    relay.say(small)

    assert relay.loop.soon_asked == []
    relay.loop.wait()
    assert served(few) == 2
