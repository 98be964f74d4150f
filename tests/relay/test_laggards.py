"""What a room's laggards cost: told to the budget after each pass, and to the byte."""

from roomcast.relay.budget import Budget
from roomcast.relay.laggards import Laggards
from roomcast.relay.log import Log
from roomcast.relay.message import OVERHEAD_BYTES, Kind
from roomcast.relay.reasons import Reason
from roomcast.relay.room import Room
from tests.relay.fake_wire import ROOMY, FakeMember, message
from tests.relay.room_steps import ANGLES, SQUARES, a_room, enter, flush, say


def in_kernels(*members: FakeMember) -> int:
    return sum(member.kernel_bytes() for member in members if member.is_waiting)


def in_logs(room: Room, *members: FakeMember) -> int:
    return room.budget.held_bytes - in_kernels(*members)


def test_nothing_is_held_where_all_keep_up() -> None:
    room = a_room()
    enter(room)
    say(room, b"hello")

    flush(room)

    assert room.budget.held_bytes == 0


def test_log_is_held_with_a_frame_for_each_format_while_one_lags() -> None:
    room = a_room()
    slow = enter(room, capacity=1)
    enter(room)
    enter(room, wire_format=SQUARES)
    say(room, b"hello")
    say(room, b"\x00\x01", kind=Kind.BINARY)

    flush(room)

    payloads, frames = b"hello\x00\x01", b"<hello><\x00\x01>[hello]"
    assert in_logs(room, slow) == 2 * OVERHEAD_BYTES + len(payloads + frames)


def test_frame_that_only_a_laggard_needs_counts_when_it_is_made() -> None:
    room = a_room()
    slow = enter(room, capacity=1, wire_format=SQUARES)
    say(room, b"one")
    flush(room)
    say(room, b"two")
    flush(room)
    before = room.log.frame_bytes
    slow.capacity = 4

    slow.drain()

    assert (before, room.log.frame_bytes) == (len(b"[one]"), len(b"[one][two]"))


def test_what_is_trimmed_is_held_no_longer() -> None:
    room = a_room(lag_max_bytes=OVERHEAD_BYTES + 3)
    slow, _ = enter(room, capacity=1), enter(room)
    say(room, b"one")
    flush(room)
    say(room, b"two")

    flush(room)

    assert in_logs(room, slow) == OVERHEAD_BYTES + len(b"two<two>")


def test_last_laggard_that_catches_up_frees_all() -> None:
    room = a_room()
    slow = enter(room, capacity=1)
    say(room, b"one")
    flush(room)
    slow.capacity = ROOMY

    slow.drain()

    assert room.budget.held_bytes == 0


def test_last_laggard_that_leaves_frees_the_log_when_the_pass_is_over() -> None:
    room = a_room()
    slow, _ = enter(room, capacity=1), enter(room)
    say(room, b"one")
    flush(room)
    say(room, b"two")
    room.flush(0)

    room.leave(slow, Reason.GONE)
    in_pass = in_logs(room, slow)
    flush(room)

    assert in_pass > 0
    assert in_logs(room, slow) == 0


# --- the budget decides


def tight() -> Budget:
    budget = Budget(1_000)
    budget.charge_log(Log(), 800)
    return budget


def test_member_that_falls_behind_is_kept_where_there_is_memory() -> None:
    room = a_room(Budget(1_000))
    slow = enter(room, capacity=7)
    say(room, b"one", b"two")

    flush(room)

    assert (list(room.laggards), slow.ending) == ([slow], None)


def test_member_that_would_become_a_laggard_where_memory_is_tight_gets_its_frame_and_a_goodbye() -> None:
    room = a_room(tight())
    slow, quick = enter(room, capacity=7), enter(room)
    say(room, b"one", b"two", b"three")

    flush(room)
    say(room, b"four")
    flush(room)
    while slow.is_waiting:
        slow.drain()

    assert slow.ending is Reason.OVERLOADED
    assert bytes(slow.taken) == b"<one><two>{goodbye}"
    assert bytes(quick.taken) == b"<one><two><three><four>"
    assert room.counters.dropped == {Reason.OVERLOADED: 2}
    assert (room.member_count, room.counters.laggards, room.log.size_bytes) == (1, 0, 0)


def test_laggard_stays_one_when_memory_becomes_tight() -> None:
    room = a_room(Budget(1_000))
    slow = enter(room, capacity=1)
    say(room, b"one")
    flush(room)
    room.budget.charge_log(Log(), 800)
    slow.capacity = ROOMY

    slow.drain()

    assert (slow.ending, bytes(slow.taken)) == (None, b"<one>")


def test_lag_is_what_was_said_since_and_all_that_is_kept_at_most() -> None:
    log, slow, slower = Log(head=7), FakeMember(ANGLES), FakeMember(ANGLES)
    laggards = Laggards(log, a_room().counters, Budget())
    for offset in (8, 9, 10):
        log.append(message(offset, b"x" * 100))
    log.trim(2 * (OVERHEAD_BYTES + 100), served=10)

    laggards.add(slow, 9)
    laggards.add(slower, 7)

    one = OVERHEAD_BYTES + 100
    assert list(laggards.by_lag()) == [(one, slow), (2 * one, slower)]
