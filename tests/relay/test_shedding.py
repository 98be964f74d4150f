"""Who is let go, in which order and how many at a time, when more is held than may be."""

from typing import Any

import pytest

from roomcast.relay.budget import LOOK_AFTER_BYTES, Budget
from roomcast.relay.log import Log
from roomcast.relay.message import OVERHEAD_BYTES
from roomcast.relay.reasons import Reason
from roomcast.relay.room import Room
from roomcast.relay.shedding import CUTS_PER_TURN, REST_S, STALLED_BYTES
from tests.relay.driven_relay import Relay
from tests.relay.fake_wire import ROOMY, FakeMember

# What a message of so many bytes, and the frame made of it, are in a log.
SAID = 1_000
HELD = OVERHEAD_BYTES + SAID + SAID + 2


def say(relay: Relay, room: Room, messages: int = 1) -> None:
    for _ in range(messages):
        relay.say(room, b"x" * SAID)
        relay.loop.end_turn()
        # Where memory is tight, a room rests between two passes.
        relay.loop.wait(room.rules.gather_max_s)


def endings(*members: FakeMember) -> list[Reason | None]:
    return [member.ending for member in members]


def lag(relay: Relay, path: str, messages: int, **rules: Any) -> tuple[Room, FakeMember]:
    """Let somebody in who takes a byte, and fall behind by so many messages, which another one takes."""
    room, slow = relay.join(path, capacity=1, **rules)
    relay.join(path)
    say(relay, room, messages)
    return room, slow


def test_nobody_is_shed_at_the_limit_and_the_furthest_behind_is_above_it() -> None:
    relay = Relay(budget=Budget(6 * HELD + 3))
    (room, least), (other, less), (another, more) = [lag(relay, f"/rooms/{name}", 1) for name in "abc"]
    say(relay, other)
    say(relay, another, 2)
    at_the_limit = (relay.hub.budget.held_bytes, endings(least, less, more))

    say(relay, room)
    relay.loop.run_dry()

    assert at_the_limit == (6 * HELD + 3, [None] * 3)
    assert endings(least, less, more) == [None, None, Reason.OVERLOADED]
    assert relay.counters.dropped == {Reason.OVERLOADED: 3}
    assert relay.hub.budget.held_bytes == 4 * HELD + 2


def test_those_on_their_way_out_are_shed_before_any_laggard() -> None:
    relay = Relay(budget=Budget(10 * HELD))
    room, going = lag(relay, "/rooms/a", 2, lag_max_bytes=2)
    relay.hub.sweep(room, going)
    other, slow = lag(relay, "/rooms/b", 1)
    before = (going.ending, going.is_dead)

    relay.hub.budget.charge_member(going, 10 * HELD)
    relay.hub.look()
    relay.loop.run_dry()

    assert before == (Reason.LAGGING, False)
    assert going.is_dead
    assert list(other.laggards) == [slow]


def test_enough_is_free_for_others_to_fall_behind_when_it_is_over() -> None:
    relay = Relay(budget=Budget(100 * HELD))
    limit = relay.hub.budget
    for number in range(79):
        lag(relay, f"/rooms/{number}", 1)
    room, _ = lag(relay, "/rooms/a", 0)
    before = (limit.is_tight, relay.counters.laggards)

    # One room more is more than there may be, though nobody new is behind.
    say(relay, relay.hub.rooms["/rooms/0"], 22)
    relay.loop.run_dry()

    assert before == (False, 79)
    assert not limit.is_full
    assert limit.held_bytes <= 70 * HELD
    assert not limit.is_tight
    assert room.laggards == {}


def test_many_are_shed_a_few_in_each_turn() -> None:
    relay = Relay(budget=Budget(1 << 30))
    many = 2 * CUTS_PER_TURN + 1
    for number in range(many):
        lag(relay, f"/rooms/{number}", 1)
    # Whoever holds this is nobody's member, and cannot be shed.
    relay.hub.budget.charge_log(Log(), 1 << 31)
    relay.hub.look()
    left = []

    for _ in range(4):
        relay.loop.wait()
        left.append(relay.counters.laggards)

    assert left == [many - CUTS_PER_TURN, 1, 0, 0]


def test_laggard_that_has_caught_up_before_its_turn_is_spared() -> None:
    relay = Relay(budget=Budget(1 << 30))
    laggards = [lag(relay, f"/rooms/{number}", 1)[1] for number in range(CUTS_PER_TURN + 2)]
    relay.hub.budget.charge_log(Log(), 1 << 31)
    relay.hub.look()
    relay.loop.wait()
    first, second = [one for one in laggards if one.ending is None]

    first.capacity = ROOMY
    first.drain()
    relay.loop.wait()

    assert endings(first, second) == [None, Reason.OVERLOADED]


# --- memory that nobody is known to hold


class Container:
    """The memory that is left: so much, less what the kernel keeps for these members."""

    def __init__(self, left_bytes: int) -> None:
        self.taken_bytes = 0
        self.members: list[FakeMember] = []
        self.left_bytes = left_bytes
        self.looks = 0

    def __call__(self) -> int:
        self.looks += 1
        return self.left_bytes - self.taken_bytes - sum(member.kernel_bytes() for member in self.members)


STALL = 4 * STALLED_BYTES


@pytest.fixture
def container() -> Container:
    return Container(10 * STALL)


@pytest.fixture
def relay(container: Container) -> Relay:
    return Relay(budget=Budget(1 << 30, container, reserve_bytes=STALL))


def fill_kernels(relay: Relay, container: Container, *sizes: int) -> tuple[Room, list[FakeMember]]:
    """Let in members whose kernel holds so much each, though they are up to date."""
    members = []
    for size in sizes:
        room, member = relay.join("/rooms/a")
        member.taken += b"x" * size
        members.append(member)
    container.members += members
    return room, members


def test_members_that_have_stalled_are_cut_after_a_rest_the_largest_first(relay: Relay, container: Container) -> None:
    room, (small, large, medium) = fill_kernels(relay, container, 2 * STALL, 5 * STALL, 3 * STALL)

    relay.hub.look()
    relay.loop.wait()
    resting = (relay.loop.timers_s(), endings(small, large, medium))
    relay.say(room)
    relay.loop.wait(REST_S)

    assert resting == ([REST_S], [None, None, None])
    assert endings(small, large, medium) == [None, Reason.OVERLOADED, None]
    assert bytes(small.taken[-7:]) == b"<hello>"


def test_nothing_is_written_while_the_rooms_rest(relay: Relay, container: Container) -> None:
    room, (member,) = fill_kernels(relay, container, 10 * STALL)
    relay.hub.look()
    relay.loop.wait()

    relay.say(room)
    relay.loop.end_turn()
    relay.loop.wait(REST_S / 2)

    assert member.offers == []
    assert relay.hub.budget.is_full


def test_publishers_are_not_read_while_the_rooms_rest_and_then_again(relay: Relay, container: Container) -> None:
    room, (member,) = fill_kernels(relay, container, 10 * STALL)
    relay.hub.look()
    relay.loop.wait()

    relay.say(room, sender=member)
    paused = member.is_paused
    member.drain()
    relay.loop.run_dry()

    assert paused
    assert not member.is_paused
    assert member.received.endswith(b"x")
    assert bytes(member.taken[-7:]) == b"<hello>"


def test_member_whose_kernel_holds_less_after_the_rest_is_on_a_long_way_only(
    relay: Relay, container: Container
) -> None:
    _, (far, stalled) = fill_kernels(relay, container, 5 * STALL, 5 * STALL)
    relay.hub.look()
    relay.loop.wait()

    far.drain(1)
    relay.loop.wait(REST_S)

    assert endings(far, stalled) == [None, Reason.OVERLOADED]


@pytest.mark.parametrize(("size", "is_cut"), [(STALLED_BYTES - 1, False), (STALLED_BYTES, True)])
def test_small_queue_is_no_stall(relay: Relay, container: Container, size: int, is_cut: bool) -> None:
    _, (member,) = fill_kernels(relay, container, size)
    container.taken_bytes = container.left_bytes - 3 * STALLED_BYTES

    relay.hub.look()
    relay.loop.run_dry()

    assert endings(member) == [Reason.OVERLOADED if is_cut else None]


def test_rooms_go_on_when_there_is_nobody_to_cut(relay: Relay, container: Container) -> None:
    room, (member,) = fill_kernels(relay, container, 0)
    container.taken_bytes = container.left_bytes - STALL // 2
    relay.hub.look()
    relay.loop.wait()

    relay.say(room)
    relay.loop.run_dry()

    assert relay.hub.budget.is_full
    assert (bytes(member.taken), relay.loop.now_s) == (b"<hello>", 0.0)


def test_rooms_do_not_spend_the_last_of_it(relay: Relay, container: Container) -> None:
    room, (member,) = fill_kernels(relay, container, 0)
    container.taken_bytes = container.left_bytes - STALL // 5
    relay.hub.look()
    relay.loop.wait()

    relay.say(room)
    relay.loop.end_turn()
    relay.loop.wait(REST_S / 2)
    before = list(member.offers)
    container.taken_bytes = 0
    relay.loop.run_dry()

    assert (before, bytes(member.taken)) == ([], b"<hello>")


def test_memory_is_looked_at_when_so_much_was_written_and_not_before(relay: Relay, container: Container) -> None:
    room, member = relay.join("/rooms/a")

    relay.say(room)
    relay.loop.run_dry()
    before = container.looks
    relay.say(room, b"x" * LOOK_AFTER_BYTES)
    relay.loop.run_dry()

    assert (before, container.looks, member.ending) == (0, 1, None)


def test_memory_is_looked_at_too_when_so_much_was_written_to_those_who_sent_in_the_same_pass(
    relay: Relay, container: Container
) -> None:
    room, ada = relay.join("/rooms/a", echo=False)
    _, bob = relay.join("/rooms/a", echo=False)
    piece = b"x" * 16_384

    for _ in range(LOOK_AFTER_BYTES // len(piece) // 2):
        relay.say(room, piece, sender=ada)
        relay.say(room, piece, sender=bob)
        relay.loop.run_dry()

    assert container.looks == 1
    assert len(ada.taken) == len(bob.taken) > LOOK_AFTER_BYTES // 2
