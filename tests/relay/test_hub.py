"""When rooms flush: the loop and its clock are driven by hand, and each send takes as long as the test says."""

from typing import Any

import pytest

from roomcast.brokers.memory import MemoryBroker
from roomcast.relay.hub import PACE_ABOVE_S, PACE_FACTOR, SERVED_PER_LOOK, TIMER_SLACK_S, TURN_S, Hub, RoomLimitError
from roomcast.relay.message import OVERHEAD_BYTES, Kind
from roomcast.relay.reasons import Reason
from roomcast.relay.room import PASS_BYTES, Room, RoomRules
from tests.relay.fake_loop import HandDrivenLoop
from tests.relay.fake_wire import GOODBYE, ROOMY, BracketFormat, FakeMember, message

ANGLES = BracketFormat()
# How long a room rests after 2 ms.
REST_S = PACE_FACTOR * 0.002


class Relay:
    """A hub, the loop that it runs on, and what it reported."""

    def __init__(self, rooms_max: int = 0) -> None:
        self.loop = HandDrivenLoop()
        self.faults: list[tuple[str, str]] = []
        self.hub = Hub(
            broker=MemoryBroker,
            scheduler=self.loop,
            clock=self.loop.clock,
            rooms_max=rooms_max,
            report=lambda room, error: self.faults.append((room.name, str(error))),
        )
        self.counters = self.hub.add_template("rooms")

    def join(self, path: str, cost_s: float = 0.0, capacity: int = ROOMY, **rules: Any) -> tuple[Room, FakeMember]:
        """Let somebody in to whom a send takes ``cost_s``."""
        member = FakeMember(ANGLES, capacity)
        member.on_offer = self.loop.spend(cost_s)
        room = self.hub.join(path, RoomRules(**({"echo": True} | rules)), self.counters, member)
        member.enter(lambda one: self.hub.feed(room, one))
        return room, member

    def fill(self, path: str, count: int, cost_s: float = 0.0, **rules: Any) -> tuple[Room, list[FakeMember]]:
        """Let in so many; the room is as slow as all of them together."""
        members = [self.join(path, cost_s / count, **rules) for _ in range(count)]
        return members[0][0], [member for _, member in members]

    def say(self, room: Room, payload: bytes = b"hello", sender: FakeMember | None = None) -> None:
        self.hub.publish(room, Kind.TEXT, payload, sender or FakeMember(ANGLES))

    def flush(self, room: Room, payload: bytes = b"hello") -> None:
        """Let a message through to everybody, in as many turns as that takes, and without resting."""
        self.say(room, payload)
        self.loop.end_turn()
        while room.is_flushing:
            self.loop.wait()


@pytest.fixture
def relay() -> Relay:
    return Relay()


def served(members: list[FakeMember]) -> int:
    """How many of them were offered something."""
    return sum(bool(member.offers) for member in members)


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
    relay.hub.turn()

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
    assert relay.hub.flush_durations.sum == pytest.approx(0.020)
    assert sum(relay.hub.flush_durations.counts) == 1


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


# --- pace


@pytest.mark.parametrize(
    ("cost_s", "gather_max_s", "rest_s"),
    [
        (0.000_9, 0.025, 0.0),
        (0.001_1, 0.025, 0.001_1 * PACE_FACTOR),
        (0.002, 0.025, REST_S),
        (0.020, 0.025, 0.025),
        (0.020, 0.010, 0.010),
        (0.020, 0.0, 0.0),
    ],
)
def test_busy_room_rests_the_longer_the_longer_its_pass_took(
    relay: Relay, cost_s: float, gather_max_s: float, rest_s: float
) -> None:
    room, members = relay.fill("/rooms/a", 200, cost_s, gather_max_s=gather_max_s)
    relay.flush(room, b"one")

    relay.say(room, b"two")
    assert relay.loop.timers_s() == ([rest_s] if rest_s else [])
    relay.loop.end_turn()
    at_once = len(members[0].offers)
    relay.loop.wait(rest_s)

    assert (at_once, len(members[0].offers)) == (1 if rest_s else 2, 2)


def test_exactly_a_millisecond_is_not_busy(relay: Relay) -> None:
    room, member = relay.join("/rooms/a", cost_s=PACE_ABOVE_S)
    relay.flush(room)

    relay.flush(room)

    assert len(member.offers) == 2


def test_room_that_rests_gathers_what_arrives(relay: Relay) -> None:
    room, member = relay.join("/rooms/a", cost_s=0.002)
    relay.flush(room, b"one")

    relay.say(room, b"two")
    relay.loop.end_turn()
    relay.say(room, b"three")
    relay.loop.end_turn()
    relay.loop.wait(REST_S)

    assert member.offers == [b"<one>", b"<two><three>"]


def test_room_that_was_busy_and_is_rested_flushes_at_once(relay: Relay) -> None:
    room, member = relay.join("/rooms/a", cost_s=0.002)
    relay.flush(room, b"one")
    relay.loop.now_s += REST_S

    relay.say(room, b"two")
    relay.loop.end_turn()

    assert member.offers == [b"<one>", b"<two>"]


def test_rest_is_not_prolonged_by_what_arrives(relay: Relay) -> None:
    room, member = relay.join("/rooms/a", cost_s=0.002)
    relay.flush(room)

    for _ in range(3):
        relay.say(room)
        relay.loop.wait(REST_S / 3)

    assert len(member.offers) == 2


@pytest.mark.parametrize(("waiting_bytes", "is_at_once"), [(PASS_BYTES, True), (PASS_BYTES - 1, False)])
def test_whole_burst_that_waits_is_not_made_to_wait_longer(relay: Relay, waiting_bytes: int, is_at_once: bool) -> None:
    room, member = relay.join("/rooms/a", cost_s=0.002)
    relay.say(room, b"x" * PASS_BYTES)
    relay.say(room, b"x" * (waiting_bytes - OVERHEAD_BYTES))

    relay.loop.end_turn()

    assert relay.loop.timers_s() == [0.0 if is_at_once else REST_S]
    relay.loop.run_dry()
    assert len(member.offers) == 2


def test_whole_bursts_on_end_are_rested_from_all_at_once(relay: Relay) -> None:
    room, member = relay.join("/rooms/a", cost_s=0.000_6)
    for _ in range(2):
        relay.say(room, b"x" * PASS_BYTES)
    relay.say(room, b"the rest")

    relay.loop.end_turn()

    assert len(member.offers) == 2
    assert relay.loop.timers_s() == pytest.approx([2 * 0.000_6 * PACE_FACTOR])


def test_fifty_rooms_of_which_none_is_busy_are_a_busy_relay(relay: Relay) -> None:
    rooms = [relay.join(f"/rooms/{number}", cost_s=0.000_9) for number in range(50)]
    for room, _ in rooms:
        relay.say(room)
    relay.loop.end_turn()
    while relay.loop.timers:
        relay.loop.wait()

    (first, one), *_, (last, other) = rooms
    relay.say(first)
    relay.say(last)
    relay.loop.end_turn()

    # When the first was flushed, nothing had been; before the last, 44 ms of work.
    assert (len(one.offers), len(other.offers)) == (2, 1)
    relay.loop.wait(0.025)
    assert len(other.offers) == 2


def test_relay_that_is_done_is_not_busy_any_more(relay: Relay) -> None:
    first, _ = relay.join("/rooms/first", cost_s=0.000_9)
    second, member = relay.join("/rooms/second", cost_s=0.000_9)

    for _ in range(3):
        relay.flush(first)
        relay.flush(second)

    assert len(member.offers) == 3


# --- waking up


def test_rooms_that_rest_until_later_need_no_timer_of_their_own(relay: Relay) -> None:
    early, one = relay.join("/rooms/early", cost_s=0.002)
    late, other = relay.join("/rooms/late", cost_s=0.005)
    relay.flush(early)
    relay.flush(late)

    relay.say(early)
    relay.say(late)

    assert len(relay.loop.timers) == 1
    relay.loop.run_dry()
    assert (len(one.offers), len(other.offers)) == (2, 2)


def test_room_that_rests_until_earlier_is_woken_in_time(relay: Relay) -> None:
    late, other = relay.join("/rooms/late", cost_s=0.008)
    early, one = relay.join("/rooms/early", cost_s=0.002)
    relay.flush(late)
    relay.flush(early)

    relay.say(late)
    relay.say(early)

    assert relay.loop.timers_s() == [REST_S, 0.023]
    relay.loop.wait(REST_S)
    assert (len(one.offers), len(other.offers)) == (2, 1)
    # Its own timer is still to fire: another would be one too many.
    assert len(relay.loop.timers) == 1
    relay.loop.run_dry()
    assert (len(one.offers), len(other.offers)) == (2, 2)


def test_timers_do_not_pile_up_while_rooms_keep_resting(relay: Relay) -> None:
    rooms = [relay.join(f"/rooms/{number}", cost_s=0.001 * number) for number in range(2, 9)]

    for _ in range(500):
        for room, _ in rooms:
            relay.say(room)
        relay.loop.end_turn()
        relay.loop.wait(0.000_5)

    assert len(relay.loop.timers) <= len(rooms)


def test_timer_that_fires_too_early_is_asked_for_again(relay: Relay) -> None:
    room, member = relay.join("/rooms/a", cost_s=0.002)
    relay.flush(room)
    relay.say(room)

    relay.loop.now_s += 0.001
    relay.loop.fire_early()

    assert len(member.offers) == 1
    assert relay.loop.timers_s() == pytest.approx([REST_S - 0.001])
    relay.loop.wait(REST_S - 0.001)
    assert len(member.offers) == 2


def test_timer_that_fires_a_little_early_is_taken_for_right(relay: Relay) -> None:
    room, member = relay.join("/rooms/a", cost_s=0.002)
    relay.flush(room)
    relay.say(room)

    relay.loop.now_s += REST_S - TIMER_SLACK_S
    relay.loop.fire_early()

    assert len(member.offers) == 2
    assert relay.loop.timers == []


def test_timer_that_fires_before_a_turn_that_was_asked_for_takes_nothing_from_it(relay: Relay) -> None:
    busy, member = relay.join("/rooms/busy", cost_s=0.002)
    quiet, other = relay.join("/rooms/quiet")
    relay.flush(busy)
    relay.say(busy)
    relay.say(quiet)

    relay.loop.fire_early()
    relay.say(quiet)

    assert len(relay.loop.soon_asked) == 1
    relay.loop.end_turn()
    relay.loop.run_dry()
    assert (len(member.offers), len(other.offers)) == (2, 2)


def test_timer_that_finds_more_to_do_than_a_turn_takes_leaves_it_to_the_turn_that_was_asked_for(relay: Relay) -> None:
    busy, _ = relay.join("/rooms/busy", cost_s=0.002)
    large, many = relay.fill("/rooms/large", 1_000, cost_s=0.020)
    relay.flush(busy)
    relay.say(busy)
    relay.say(large)

    relay.loop.wait(REST_S)

    assert (len(relay.loop.soon_asked), relay.loop.timers) == (1, [])
    relay.loop.run_dry()
    assert served(many) == 1_000


def test_turn_that_wakes_a_room_before_its_timer_leaves_nothing_for_it(relay: Relay) -> None:
    busy, member = relay.join("/rooms/busy", cost_s=0.002)
    quiet, _ = relay.join("/rooms/quiet")
    relay.flush(busy)
    relay.say(busy)

    relay.loop.now_s += REST_S
    relay.say(quiet)
    relay.loop.end_turn()
    relay.loop.run_dry()

    assert len(member.offers) == 2


def test_room_that_rests_while_another_keeps_the_hub_busy_is_woken(relay: Relay) -> None:
    busy, member = relay.join("/rooms/busy", cost_s=0.002)
    relay.flush(busy)
    relay.say(busy)
    large, many = relay.fill("/rooms/large", 1_000, cost_s=0.020)
    relay.say(large)

    relay.loop.end_turn()
    relay.loop.run_dry()

    assert (len(member.offers), served(many)) == (2, 1_000)


# --- rooms open and close


def test_room_opens_for_its_first_member_and_is_forgotten_after_its_last(relay: Relay) -> None:
    room, first = relay.join("/rooms/a")
    _, second = relay.join("/rooms/a")
    opened = (list(relay.hub.rooms), relay.counters.rooms, relay.counters.members)

    relay.hub.leave(room, first, Reason.GONE)
    half_empty = list(relay.hub.rooms)
    relay.hub.part(room, second, Reason.PEER)

    assert opened == (["/rooms/a"], 1, 2)
    assert half_empty == ["/rooms/a"]
    assert (relay.hub.rooms, relay.counters.rooms, relay.counters.members) == ({}, 0, 0)


def test_room_is_forgotten_when_its_last_laggard_overflows(relay: Relay) -> None:
    for look_after in (relay.hub.feed, relay.hub.sweep):
        room, slow = relay.join("/rooms/a", capacity=1, lag_max_bytes=1)
        relay.say(room, b"one")
        relay.loop.end_turn()
        relay.say(room, b"two")
        relay.loop.end_turn()

        look_after(room, slow)

        assert relay.hub.rooms == {}


def test_room_is_forgotten_when_its_last_member_was_still_owed_something(relay: Relay) -> None:
    room, member = relay.join("/rooms/a")
    relay.say(room)
    relay.hub.part(room, member, Reason.PEER)
    still_there = list(relay.hub.rooms)

    relay.loop.end_turn()

    assert still_there == ["/rooms/a"]
    assert relay.hub.rooms == {}
    assert bytes(member.taken) == b"<hello>" + GOODBYE


def test_room_that_opens_again_is_another_room(relay: Relay) -> None:
    room, members = relay.fill("/rooms/a", 100, cost_s=0.010)
    relay.say(room)
    relay.loop.end_turn()
    for member in members:
        member.is_dead = True
        relay.hub.leave(room, member, Reason.GONE)

    again, newcomer = relay.join("/rooms/a")
    relay.say(again, b"for the newcomer")
    relay.loop.run_dry()

    assert again is not room
    assert newcomer.offers == [b"<for the newcomer>"]
    assert list(relay.hub.rooms.values()) == [again]
    # The broker, too, has forgotten the first.
    assert again.at == 1


def test_forgotten_room_with_something_to_flush_asks_for_no_more_turns(relay: Relay) -> None:
    room, member = relay.join("/rooms/a")
    relay.say(room, b"x" * PASS_BYTES)
    relay.say(room, b"y")
    relay.hub.leave(room, member, Reason.GONE)

    relay.loop.end_turn()

    assert (relay.loop.soon_asked, relay.loop.timers) == ([], [])


def test_one_template_has_one_set_of_counters() -> None:
    relay = Relay()

    assert relay.hub.add_template("rooms") is relay.counters
    assert relay.hub.templates == {"rooms": relay.counters}


# --- limits


def test_last_room_that_may_open_opens_and_the_next_does_not() -> None:
    relay = Relay(rooms_max=2)
    relay.join("/rooms/a")
    relay.join("/rooms/b")

    assert relay.hub.refusal("/rooms/c", RoomRules()) == "rooms_max"
    assert relay.hub.refusal("/rooms/b", RoomRules()) is None
    with pytest.raises(RoomLimitError, match="limit rooms_max is reached") as caught:
        relay.join("/rooms/c")
    assert caught.value.limit == "rooms_max"
    assert relay.counters.rooms == 2


def test_last_member_that_may_join_joins_and_the_next_does_not(relay: Relay) -> None:
    relay.fill("/rooms/a", 2, members_max=2)

    assert relay.hub.refusal("/rooms/a", RoomRules(members_max=3)) is None
    with pytest.raises(RoomLimitError, match="limit members_max is reached"):
        relay.join("/rooms/a", members_max=2)
    assert relay.counters.members == 2


def test_no_limit_is_no_limit(relay: Relay) -> None:
    relay.fill("/rooms/a", 20, members_max=0)

    assert relay.hub.refusal("/rooms/a", RoomRules(members_max=0)) is None
    assert relay.hub.refusal("/rooms/b", RoomRules(members_max=0)) is None


# --- publishers


def test_publisher_into_a_room_that_owes_too_much_is_paused_until_it_is_flushed(relay: Relay) -> None:
    room, publisher = relay.join("/rooms/a", pending_max_bytes=2 * OVERHEAD_BYTES)

    paused = []
    for payload in (b"", b"", b"one too many"):
        relay.say(room, payload, publisher)
        paused.append(publisher.is_paused)
    relay.loop.end_turn()

    assert paused == [False, False, True]
    assert not publisher.is_paused


def test_publisher_of_a_paced_room_is_paused_no_longer_than_the_room_rests(relay: Relay) -> None:
    room, publisher = relay.join("/rooms/a", cost_s=0.002, pending_max_bytes=1)
    relay.flush(room)
    relay.say(room, b"1", publisher)
    resting = publisher.is_paused

    relay.loop.wait(REST_S)

    assert (resting, publisher.is_paused) == (True, False)


def test_what_members_publish_is_counted_by_kind_and_size(relay: Relay) -> None:
    room, member = relay.join("/rooms/a")

    relay.hub.publish(room, Kind.TEXT, b"x" * 64, member)
    relay.hub.publish(room, Kind.BINARY, b"x" * 65, member)
    relay.hub.publish(room, Kind.BINARY, b"", member)

    assert (relay.counters.received_text, relay.counters.received_binary) == (1, 2)
    assert relay.hub.message_sizes.counts[:3] == [2, 1, 0]
    assert relay.hub.message_sizes.sum == 129


def test_bytes_are_held_for_laggards_only(relay: Relay) -> None:
    lagging, _ = relay.join("/rooms/lagging", capacity=1)
    quick, _ = relay.join("/rooms/quick")
    relay.say(lagging, b"hello")
    relay.say(quick, b"hello")

    relay.loop.end_turn()

    assert relay.hub.lag_bytes() == len(b"hello") + OVERHEAD_BYTES


# --- faults of our own


def raise_fault() -> None:
    raise RuntimeError("a fault of ours")


def test_room_in_which_a_member_raises_is_lost_and_the_others_are_not(relay: Relay) -> None:
    lost, broken = relay.join("/rooms/lost")
    _, neighbour = relay.join("/rooms/lost")
    other, bystander = relay.join("/rooms/other")
    broken.on_offer = raise_fault
    relay.say(lost)
    relay.say(other)

    relay.loop.end_turn()

    assert relay.faults == [("/rooms/lost", "a fault of ours")]
    assert (broken.ending, neighbour.ending, bystander.ending) == (Reason.INTERNAL, Reason.INTERNAL, None)
    assert bystander.offers == [b"<hello>"]
    assert list(relay.hub.rooms) == ["/rooms/other"]
    assert (relay.counters.rooms, relay.counters.members) == (1, 1)


def test_lost_room_is_not_flushed_again(relay: Relay) -> None:
    room, broken = relay.join("/rooms/a")
    broken.on_offer = raise_fault
    relay.say(room, b"x" * PASS_BYTES)
    relay.say(room, b"y")

    relay.loop.end_turn()

    assert len(relay.faults) == 1
    assert (relay.loop.soon_asked, relay.loop.timers) == ([], [])


def test_path_of_a_lost_room_is_free_for_another(relay: Relay) -> None:
    lost, broken = relay.join("/rooms/a")
    broken.on_offer = raise_fault
    relay.say(lost)
    relay.loop.end_turn()

    room, member = relay.join("/rooms/a")
    relay.flush(room)

    assert room is not lost
    assert member.offers == [b"<hello>"]


def test_member_that_cannot_even_be_closed_keeps_nobody_from_it(relay: Relay) -> None:
    class Stubborn(FakeMember):
        def fail(self) -> None:
            raise RuntimeError("cannot be closed")

    room, broken = relay.join("/rooms/a")
    broken.on_offer = raise_fault
    relay.hub.join("/rooms/a", RoomRules(), relay.counters, Stubborn(ANGLES))
    _, last = relay.join("/rooms/a")
    relay.say(room)

    relay.loop.end_turn()

    assert [fault for _, fault in relay.faults] == ["a fault of ours", "cannot be closed"]
    assert last.ending is Reason.INTERNAL
    assert relay.hub.rooms == {}
