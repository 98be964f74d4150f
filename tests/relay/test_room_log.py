"""What a room remembers for those who come later, and what it does not."""

from typing import Any

import pytest

from roomcast.relay.budget import Budget
from roomcast.relay.counters import TemplateCounters
from roomcast.relay.history import ROOM_BYTES, Histories
from roomcast.relay.message import OVERHEAD_BYTES
from roomcast.relay.reasons import Reason
from roomcast.relay.room import Room
from roomcast.relay.rules import RoomRules
from roomcast.relay.start import NO_WISH, Gap, Position, Start, Wish
from tests.relay.fake_wire import ROOMY, FakeMember, message
from tests.relay.room_steps import ANGLES, enter, flush, say

EPOCH = "k7c2m9qa"
# A message of one letter and its frame.
ONE = 1 + OVERHEAD_BYTES + 3


@pytest.fixture
def histories() -> Histories:
    return Histories()


def keeping(histories: Histories, **rules: Any) -> Room:
    """Return a room that keeps a history; nothing was said before it opened, at 0 s."""
    kept = RoomRules(**({"echo": True, "history_messages": 100} | rules))
    return Room("/rooms/a", kept, TemplateCounters("rooms"), Budget(), 0, histories, -1.0)


def resume(room: Room, wish: Wish, capacity: int = ROOMY) -> tuple[FakeMember, Start]:
    member = FakeMember(ANGLES, capacity)
    member.enter(room.feed, room.leave, room.budget)
    start = room.find_start(wish, EPOCH, 0.0)
    room.join(member, start.cursor)
    return member, start


def hear(*members: FakeMember) -> list[bytes]:
    """Return what each was written in all, when it reads whatever there is."""
    for member in members:
        while member.is_waiting:
            member.drain()
    return [bytes(member.taken) for member in members]


def since(offset: int) -> Wish:
    return Wish(since=Position(EPOCH, offset))


def test_newcomer_hears_what_it_asks_for_and_then_what_comes(histories: Histories) -> None:
    room = keeping(histories)
    say(room, b"a", b"b", b"c")
    flush(room)

    member, start = resume(room, Wish(2))
    say(room, b"d")
    flush(room)

    assert start == Start(1)
    assert hear(member) == [b"<b><c><d>"]


def test_one_that_comes_in_mid_pass_hears_the_pass_s_messages_once(histories: Histories) -> None:
    room = keeping(histories)
    enter(room), enter(room)
    say(room, b"a", b"b")
    room.flush(1)

    member, _ = resume(room, since(1))
    say(room, b"c")
    flush(room)

    assert hear(member) == [b"<b><c>"]


def test_what_nobody_was_sent_yet_comes_with_the_next_flush_and_not_before(histories: Histories) -> None:
    room = keeping(histories)
    enter(room)
    say(room, b"a")
    flush(room)
    say(room, b"b")

    member, start = resume(room, Wish(2))
    early = hear(member)
    flush(room)

    assert (start, early, hear(member)) == (Start(0), [b"<a>"], [b"<a><b>"])


def test_room_without_history_has_no_past_but_knows_who_is_up_to_date() -> None:
    room = Room("/rooms/a", RoomRules(), TemplateCounters("rooms"), Budget())
    say(room, b"a")
    flush(room)

    assert room.find_start(Wish(5), EPOCH, 0.0) == Start(1)
    assert room.find_start(since(1), EPOCH, 0.0) == Start(1)
    assert room.find_start(since(0), EPOCH, 0.0) == Start(1, Gap.OFFSET)
    assert room.find_start(Wish(since_s=0), EPOCH, 0.0) == Start(1, Gap.TIME)
    assert not room.keeps_something


def test_what_is_kept_is_told_with_the_frames_made_of_it(histories: Histories) -> None:
    room = keeping(histories)
    enter(room)
    say(room, b"a", b"b")

    flush(room)

    assert histories.held_bytes == 2 * ONE + ROOM_BYTES
    assert room.budget.held_bytes == 0
    assert room.keeps_something


def test_what_laggards_need_beyond_the_history_is_held_for_them(histories: Histories) -> None:
    room = keeping(histories, history_messages=1)
    slow, _ = enter(room, capacity=1), enter(room)
    say(room, b"a", b"b", b"c")

    flush(room)

    assert histories.held_bytes == ONE + ROOM_BYTES
    assert room.budget.held_bytes == 2 * ONE + slow.kernel_bytes()


def test_last_laggard_that_goes_leaves_the_history_and_nothing_else(histories: Histories) -> None:
    room = keeping(histories, history_messages=1)
    slow, _ = enter(room, capacity=1), enter(room)
    say(room, b"a", b"b", b"c")
    flush(room)

    room.leave(slow, Reason.GONE)

    assert (room.log.first, room.log.head) == (3, 3)
    assert histories.held_bytes == ONE + ROOM_BYTES


def test_what_has_grown_too_old_is_forgotten_though_nobody_speaks(histories: Histories) -> None:
    room = keeping(histories, history_max_age_s=10)
    for offset, moment_s in enumerate((1.0, 2.0), start=1):
        room.append(message(offset, published_s=moment_s))
    flush(room)

    room.age(11.0)
    both = len(room.log)
    room.age(11.5)

    assert (both, room.log.first) == (2, 2)


def test_what_has_grown_too_old_is_nobody_s_past_though_a_laggard_is_owed_it(histories: Histories) -> None:
    room = keeping(histories, history_max_age_s=10)
    slow = enter(room, capacity=1)
    room.append(message(1, b"a", published_s=1.0))
    room.append(message(2, b"b", published_s=2.0))
    flush(room)

    room.age(11.5)

    assert room.find_start(Wish(5), EPOCH, 11.5) == Start(1)
    assert room.find_start(since(0), EPOCH, 11.5) == Start(1, Gap.OFFSET)
    slow.capacity = ROOMY
    assert hear(slow) == [b"<a><b>"]
    assert (room.log.first, histories.held_bytes) == (2, ONE + ROOM_BYTES)


def test_nothing_grows_too_old_in_the_middle_of_a_pass(histories: Histories) -> None:
    room = keeping(histories, history_max_age_s=10)
    enter(room), enter(room)
    say(room, b"a")
    room.flush(1)

    room.age(1_000.0)

    assert len(room.log) == 1


def test_room_that_forgets_keeps_what_nobody_was_sent_yet_until_it_was(histories: Histories) -> None:
    room = keeping(histories)
    member = enter(room)
    say(room, b"a")
    flush(room)
    say(room, b"b")

    room.forget_history()
    held = [said.payload for said in room.log.after(room.at, 5)]
    flush(room)

    assert held == [b"b"]
    assert hear(member) == [b"<a><b>"]
    assert (len(room.log), histories.held_bytes, room.keeps_something) == (0, 0, False)


def test_room_that_forgets_in_mid_pass_has_forgotten_at_its_end(histories: Histories) -> None:
    room = keeping(histories)
    first, second = enter(room), enter(room)
    say(room, b"a")
    room.flush(1)

    room.forget_history()
    say(room, b"b")
    flush(room)

    assert hear(first, second) == [b"<a><b>"] * 2
    assert room.find_start(Wish(5), EPOCH, 0.0) == Start(1)


def test_laggard_gets_what_it_is_owed_of_a_room_that_forgot_and_nobody_else_does(histories: Histories) -> None:
    room = keeping(histories)
    slow = enter(room, capacity=1)
    say(room, b"a", b"b")
    flush(room)

    room.forget_history()
    newcomer, start = resume(room, Wish(5))
    slow.capacity = ROOMY

    assert start == Start(2)
    assert hear(slow, newcomer) == [b"<a><b>", b""]
    assert (len(room.log), histories.held_bytes, room.budget.held_bytes) == (0, 0, 0)


def test_room_without_history_can_be_told_to_forget_and_to_age() -> None:
    room = Room("/rooms/a", RoomRules(), TemplateCounters("rooms"), Budget())
    enter(room, capacity=1)
    say(room, b"a")
    flush(room)

    room.age(1_000.0)
    room.forget_history()

    assert len(room.log) == 1
    assert room.find_start(since(0), EPOCH, 0.0) == Start(1, Gap.OFFSET)


def test_room_that_was_lost_keeps_nothing_that_could_not_be_sent(histories: Histories) -> None:
    room = keeping(histories)
    enter(room), enter(room)
    say(room, b"a")
    room.flush(1)

    room.abandon()

    assert (len(room.log), room.log.frame_bytes, histories.held_bytes) == (0, 0, 0)


def test_nobody_is_behind_that_asks_for_nothing(histories: Histories) -> None:
    room = keeping(histories)
    say(room, b"a")
    flush(room)

    _, start = resume(room, NO_WISH)

    assert (start, list(room.laggards)) == (Start(1), [])


def test_what_laggards_were_owed_goes_when_the_last_of_them_has_it(histories: Histories) -> None:
    room = keeping(histories, history_messages=1)
    first, second = enter(room, capacity=1), enter(room, capacity=1)
    say(room, b"a", b"b", b"c")
    flush(room)

    first.capacity = second.capacity = ROOMY
    hear(first)
    still_held = len(room.log)
    hear(second)

    assert (still_held, len(room.log)) == (3, 1)
    assert (histories.held_bytes, room.budget.held_bytes) == (ONE + ROOM_BYTES, 0)
