"""Those who part, behind what they are owed, and those who publish too much and have to wait."""

import pytest

from roomcast.relay.message import OVERHEAD_BYTES
from roomcast.relay.reasons import Reason
from roomcast.relay.room import PASS_BYTES
from tests.relay.fake_wire import GOODBYE, ROOMY
from tests.relay.room_steps import a_room, enter, flush, hear, say

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


@pytest.mark.parametrize(("more", "is_paused"), [([], False), ([b""], True)], ids=["half", "a little more"])
def test_paused_publisher_is_read_again_when_no_more_than_half_is_pending(more: list[bytes], is_paused: bool) -> None:
    room = a_room(pending_max_bytes=2 * (OVERHEAD_BYTES + PASS_BYTES))
    publisher = enter(room)
    say(room, *[b"x" * PASS_BYTES] * 3)
    room.hold_back(publisher)

    room.flush(64)
    after_the_first = publisher.is_paused
    say(room, *more)
    room.flush(64)
    after_the_second = publisher.is_paused
    flush(room)

    assert (after_the_first, after_the_second, publisher.is_paused) == (True, is_paused, False)
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
