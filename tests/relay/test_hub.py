from functools import partial

import pytest

from roomcast.relay.budget import Budget
from roomcast.relay.log import Log
from roomcast.relay.message import OVERHEAD_BYTES, Kind
from roomcast.relay.reasons import Reason
from roomcast.relay.room import PASS_BYTES
from roomcast.relay.rooms import RoomLimitError
from roomcast.relay.rules import RoomRules
from roomcast.relay.slices import STEPS_PER_LOOK
from roomcast.relay.start import NO_WISH, Gap, Position, Start, Wish
from tests.relay.driven_relay import ANGLES, EPOCH, REST_S, Relay
from tests.relay.fake_wire import GOODBYE, FakeMember

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
    # Its first message had the offset 1, and no other has.
    assert again.at == 2


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


def test_room_opens_by_the_rules_that_hold_though_others_let_its_first_member_in(relay: Relay) -> None:
    relay.hub.change_rules({"/rooms/a": RoomRules(echo=True)}.get)

    changed, _ = relay.join("/rooms/a", members_max=7)
    gone, _ = relay.join("/rooms/b", members_max=7)

    assert changed.rules == RoomRules(echo=True)
    assert gone.rules.members_max == 7


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


def test_member_beyond_a_limit_joins_where_somebody_may_exceed_it(relay: Relay) -> None:
    relay.fill("/rooms/a", 2)
    rules, asked = RoomRules(members_max=3), list[str]()

    def may_exceed(limit: str) -> bool:
        asked.append(limit)
        return True

    for _ in range(2):
        room, _ = relay.hub.join("/rooms/a", rules, relay.counters, FakeMember(ANGLES), may_exceed=may_exceed)

    assert (room.member_count, asked) == (4, ["members_max"])


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

    # The message, the frame made of it, and the byte that the kernel took.
    assert relay.hub.budget.held_bytes == len(b"hello") + OVERHEAD_BYTES + len(b"<hello>") + 1


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


# --- newcomers that want what was said before they came

KEEPS = RoomRules(echo=True, history_messages=100)


def test_newcomer_is_told_where_it_begins_and_hears_all_from_there(relay: Relay) -> None:
    room, _ = relay.join("/rooms/a", history_messages=100)
    for payload in (b"a", b"b"):
        relay.flush(room, payload)
    member = FakeMember(ANGLES)

    joined = relay.hub.join("/rooms/a", KEEPS, relay.counters, member, Wish(1))
    relay.hub.feed(room, member)

    assert joined == (room, Start(1))
    assert member.offers == []
    member.is_waiting = False
    relay.hub.feed(room, member)
    assert member.offers == [b"<b>"]


@pytest.mark.parametrize(("may_miss", "heard"), [(False, b""), (True, b"<a><b>")])
def test_newcomer_behind_a_gap_hears_nothing_unless_it_may_miss_something(
    relay: Relay, may_miss: bool, heard: bytes
) -> None:
    room, _ = relay.join("/rooms/a", history_messages=100)
    relay.flush(room, b"a")
    member = FakeMember(ANGLES)
    wish = Wish(since=Position("another7", 1), may_miss=may_miss)

    _, start = relay.hub.join("/rooms/a", KEEPS, relay.counters, member, wish)
    member.is_waiting = False
    relay.hub.feed(room, member)
    relay.flush(room, b"b")

    assert start == Start(0, Gap.EPOCH)
    assert bytes(member.taken) == heard


def test_member_that_does_not_listen_hears_nothing_and_may_speak(relay: Relay) -> None:
    room, listener = relay.join("/rooms/a")
    silent = FakeMember(ANGLES)

    relay.hub.join("/rooms/a", RoomRules(), relay.counters, silent, is_listening=False)
    relay.say(room, b"a", silent)
    relay.loop.end_turn()
    relay.hub.part(room, silent, Reason.PEER)

    assert (listener.offers, silent.offers, silent.ending) == ([b"<a>"], [], Reason.PEER)
    assert relay.counters.members == 1


def test_who_came_back_is_counted_by_what_it_found(relay: Relay) -> None:
    for wish in (
        NO_WISH,
        Wish(5),
        Wish(since=Position(EPOCH, 0)),
        Wish(since=Position(EPOCH, 1)),
        Wish(since=Position("another7", 0)),
        Wish(since_s=60),
    ):
        relay.join("/rooms/a", wish=wish, history_messages=100)

    assert relay.counters.resumes == {None: 1, Gap.OFFSET: 1, Gap.EPOCH: 1, Gap.TIME: 1}


def test_nobody_may_begin_in_the_past_where_memory_is_tight() -> None:
    relay = Relay(budget=Budget(1_000))
    relay.join("/rooms/a", history_messages=100)
    relay.hub.budget.charge_log(Log(), 800)

    assert relay.hub.refusal("/rooms/a", KEEPS, Wish(1)) == "lag_total_max_bytes"
    assert relay.hub.refusal("/rooms/a", KEEPS, Wish(may_miss=True)) is None
    assert relay.hub.refusal("/rooms/a", KEEPS) is None
    with pytest.raises(RoomLimitError, match="limit lag_total_max_bytes is reached"):
        relay.join("/rooms/a", wish=Wish(1), history_messages=100)


# --- what comes in by another door


def test_message_of_another_door_goes_to_all_with_the_next_offset(relay: Relay) -> None:
    room, member = relay.join("/rooms/a")
    relay.flush(room, b"a")

    published = relay.hub.publish_to("/rooms/a", RoomRules(), relay.counters, Kind.TEXT, b"b")
    relay.loop.end_turn()

    assert published == (2, 1)
    assert member.offers == [b"<a>", b"<b>"]


def test_message_of_another_door_is_counted_by_kind_and_size(relay: Relay) -> None:
    for kind, payload in ((Kind.TEXT, b"x" * 64), (Kind.BINARY, b"x" * 65), (Kind.BINARY, b"")):
        relay.hub.publish_to("/rooms/a", RoomRules(), relay.counters, kind, payload)

    assert (relay.counters.published_text, relay.counters.published_binary) == (1, 2)
    assert (relay.counters.received_text, relay.counters.received_binary) == (0, 0)
    assert relay.hub.message_sizes.counts[:3] == [2, 1, 0]


def test_message_for_nobody_opens_a_room_only_where_it_is_kept(relay: Relay) -> None:
    relay.hub.publish_to("/rooms/a", RoomRules(), relay.counters, Kind.TEXT, b"lost")
    relay.hub.publish_to("/rooms/b", KEEPS, relay.counters, Kind.TEXT, b"kept")
    relay.loop.end_turn()

    _, member = relay.join("/rooms/b", wish=Wish(5), history_messages=100)
    member.drain()

    assert list(relay.hub.rooms) == ["/rooms/b"]
    assert member.offers == [b"<kept>"]


def test_message_for_which_no_room_may_be_opened_is_refused() -> None:
    relay = Relay(rooms_max=1)
    relay.join("/rooms/a")

    with pytest.raises(RoomLimitError, match="limit rooms_max is reached"):
        relay.hub.publish_to("/rooms/b", KEEPS, relay.counters, Kind.TEXT, b"hello")
    assert relay.counters.published_text == 0


def test_room_is_busy_that_owes_too_much_and_all_are_where_memory_is_full() -> None:
    relay = Relay(budget=Budget(1_000))
    room, _ = relay.join("/rooms/a", pending_max_bytes=OVERHEAD_BYTES + 1)
    relay.say(room, b"1")
    just_not = relay.hub.is_busy("/rooms/a")
    relay.say(room, b"2")

    assert (just_not, relay.hub.is_busy("/rooms/a"), relay.hub.is_busy("/rooms/b")) == (False, True, False)
    relay.hub.budget.charge_log(Log(), 1_001)
    assert relay.hub.is_busy("/rooms/b")


# --- rooms that are closed


def test_room_that_is_closed_says_goodbye_behind_what_it_owes(relay: Relay) -> None:
    room, member = relay.join("/rooms/a", history_messages=100)
    relay.flush(room, b"a")
    relay.say(room, b"b")

    closed = relay.hub.close_room("/rooms/a")
    relay.loop.run_dry()

    assert (closed, member.dismissed) == (1, Reason.ROOM_CLOSED)
    assert bytes(member.taken) == b"<a><b>" + GOODBYE
    assert relay.hub.rooms == {}


def test_room_that_is_closed_has_forgotten_what_it_kept(relay: Relay) -> None:
    room, member = relay.join("/rooms/a", history_messages=100)
    relay.flush(room, b"a")
    relay.hub.leave(room, member, Reason.GONE)
    deserted = list(relay.hub.rooms)

    closed = relay.hub.close_room("/rooms/a")
    again, _ = relay.join("/rooms/a", history_messages=100)

    assert (deserted, closed) == (["/rooms/a"], 0)
    assert again.find_start(Wish(since=Position(EPOCH, 0)), EPOCH, 0.0) == Start(1, Gap.OFFSET)


def test_room_that_is_closed_in_mid_pass_keeps_nothing_of_it(relay: Relay) -> None:
    room, members = relay.fill("/rooms/a", 100, cost_s=0.010, history_messages=100)
    relay.say(room)
    relay.loop.end_turn()
    is_flushing = room.is_flushing

    relay.hub.close_room("/rooms/a")
    relay.loop.run_dry()

    assert is_flushing
    assert {bytes(member.taken) for member in members} == {b"<hello>" + GOODBYE}
    assert (relay.hub.rooms, len(relay.hub.histories)) == ({}, 0)


def test_room_that_is_not_there_is_not_closed(relay: Relay) -> None:
    assert relay.hub.close_room("/rooms/a") is None


def test_lost_room_keeps_nothing_for_those_who_come_later(relay: Relay) -> None:
    room, broken = relay.join("/rooms/a", history_messages=100)
    relay.flush(room, b"a")
    broken.on_offer = raise_fault
    relay.say(room, b"x" * PASS_BYTES)
    relay.say(room, b"y")

    relay.loop.run_dry()

    assert (len(relay.faults), relay.hub.rooms, len(relay.hub.histories)) == (1, {}, 0)


def test_all_offsets_count_under_the_broker_s_epoch(relay: Relay) -> None:
    assert relay.hub.epoch == EPOCH


class SlowToGo(FakeMember):
    """One whose goodbye takes a millisecond; or, where that is said, fails."""

    def __init__(self, relay: Relay) -> None:
        super().__init__(ANGLES)
        self._relay = relay
        self.is_broken = False

    def dismiss(self, reason: Reason, detail: str = "") -> None:
        self._relay.loop.now_s += 0.001
        if self.is_broken:
            raise RuntimeError("a fault of ours")
        super().dismiss(reason, detail)


def fill_with_slow(relay: Relay, count: int) -> list[SlowToGo]:
    members = [SlowToGo(relay) for _ in range(count)]
    for member in members:
        room = relay.hub.join("/rooms/a", RoomRules(history_messages=5), relay.counters, member).room
        member.say_goodbye_by(partial(relay.hub.part, room))
    return members


def test_room_that_is_closed_sends_a_crowd_away_in_slices(relay: Relay) -> None:
    members = fill_with_slow(relay, 3 * STEPS_PER_LOOK)

    told = relay.hub.close_room("/rooms/a")
    at_once = sum(member.dismissed is Reason.ROOM_CLOSED for member in members)
    relay.loop.run_dry()

    assert (told, at_once) == (len(members), STEPS_PER_LOOK)
    assert all(member.ending is Reason.ROOM_CLOSED for member in members)
    assert not relay.hub.rooms


def test_what_is_said_by_those_who_are_not_sent_away_yet_is_forgotten_too(relay: Relay) -> None:
    members = fill_with_slow(relay, 3 * STEPS_PER_LOOK)
    room = relay.hub.rooms["/rooms/a"]

    relay.hub.close_room("/rooms/a")
    relay.say(room, b"last", members[-1])
    relay.loop.run_dry()

    assert members[-1].ending is Reason.ROOM_CLOSED
    assert (relay.hub.rooms, len(relay.hub.histories)) == ({}, 0)


def test_fault_at_one_goodbye_keeps_nobody_else_in_a_room_that_is_closed(relay: Relay) -> None:
    members = fill_with_slow(relay, 3)
    members[0].is_broken = True

    relay.hub.close_room("/rooms/a")
    relay.loop.run_dry()

    assert [member.dismissed for member in members] == [None, Reason.ROOM_CLOSED, Reason.ROOM_CLOSED]
    assert relay.faults == [("", "a fault of ours")]
