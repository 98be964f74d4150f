"""What all rooms keep together, and who forgets first."""

from dataclasses import replace

import pytest

from roomcast.relay.history import DUE_AT_ONCE, ROOM_BYTES, SLACK_S, Histories
from roomcast.relay.log import Log
from roomcast.relay.rules import RoomRules
from tests.relay.fake_wire import message

AGE_S = 10.0


class Shelf:
    """A room that keeps what the test says."""

    def __init__(self, histories: Histories, published_s: float = 0.0) -> None:
        self.name = "/rooms/a"
        self.rules = RoomRules(history_messages=10, history_max_age_s=AGE_S)
        self.log = Log()
        self.log.append(message(1, published_s=published_s))
        self.is_flushing = False
        self.aged_s: list[float] = []
        self.kept_bytes = 0
        self._histories = histories

    def keep(self, size_bytes: int) -> None:
        self.kept_bytes = size_bytes
        self._histories.charge(self, size_bytes)

    def age(self, now_s: float) -> None:
        self.aged_s.append(now_s)
        self._histories.correct(self, self.kept_bytes)

    def forget_history(self) -> None:
        self.keep(0)


@pytest.fixture
def histories() -> Histories:
    return Histories(3 * ROOM_BYTES + 100)


def test_what_is_kept_is_one_sum_with_each_room_s_own_cost(histories: Histories) -> None:
    one, other = Shelf(histories), Shelf(histories)

    one.keep(10)
    other.keep(20)
    one.keep(30)

    assert (histories.held_bytes, len(histories)) == (30 + 20 + 2 * ROOM_BYTES, 2)


def test_room_that_keeps_nothing_costs_nothing(histories: Histories) -> None:
    room = Shelf(histories)

    room.keep(10)
    room.keep(0)
    histories.correct(room, 0)

    assert (histories.held_bytes, len(histories)) == (0, 0)


def test_what_a_room_forgot_is_corrected_and_makes_nobody_speak(histories: Histories) -> None:
    silent, other = Shelf(histories), Shelf(histories)
    silent.keep(30)
    other.keep(30)

    histories.correct(silent, 20)
    held_bytes = histories.held_bytes
    histories.correct(silent, 10_000)

    assert held_bytes == 50 + 2 * ROOM_BYTES
    # It is still the one that was silent for longest.
    assert histories.relieve() == [silent]


def test_room_that_is_not_known_to_keep_anything_is_not_corrected(histories: Histories) -> None:
    histories.correct(Shelf(histories), 10)

    assert histories.held_bytes == 0


def test_rooms_forget_that_were_silent_for_longest_and_only_while_it_is_too_much(histories: Histories) -> None:
    first, second, third = (Shelf(histories) for _ in range(3))
    for room in (first, second, third, first):
        room.keep(33)
    just_fits = histories.relieve()
    third.keep(35)

    relieved = histories.relieve()

    assert just_fits == []
    assert relieved == [second]
    assert (histories.forgotten, len(histories)) == (1, 2)


def test_room_in_the_middle_of_a_pass_is_left_alone(histories: Histories) -> None:
    busy, other = Shelf(histories), Shelf(histories)
    busy.keep(3 * ROOM_BYTES)
    other.keep(1)
    busy.is_flushing = True

    assert histories.relieve() == [other]
    assert histories.relieve() == []
    assert histories.forgotten == 1


def test_no_limit_is_no_limit() -> None:
    histories = Histories()
    Shelf(histories).keep(1 << 40)

    assert histories.relieve() == []


def test_room_is_looked_after_when_its_oldest_message_falls_due_and_not_before(histories: Histories) -> None:
    room = Shelf(histories, published_s=5.0)
    room.keep(10)

    early = histories.due(5.0 + AGE_S + SLACK_S - 0.001)
    in_time = histories.due(5.0 + AGE_S + SLACK_S)

    assert (early, in_time, room.aged_s) == ([], [room], [5.0 + AGE_S + SLACK_S])


def test_room_that_keeps_something_still_is_awaited_again(histories: Histories) -> None:
    room = Shelf(histories)
    room.keep(10)
    histories.due(AGE_S + SLACK_S)
    # What it has now was said later.
    room.log = Log()
    room.log.append(message(1, published_s=100.0))
    again_early = histories.due(AGE_S + SLACK_S + 1)

    assert again_early == [room]
    assert histories.due(100.0 + AGE_S) == []
    assert histories.due(100.0 + AGE_S + SLACK_S) == [room]


def test_room_that_has_nothing_left_when_its_time_comes_is_not_looked_after(histories: Histories) -> None:
    room = Shelf(histories)
    room.keep(10)
    room.keep(0)

    assert histories.due(1_000.0) == []
    assert histories.due(2_000.0) == []


def test_room_is_awaited_once_however_often_it_begins_to_keep_something(histories: Histories) -> None:
    room = Shelf(histories)
    for _ in range(5):
        room.keep(10)
        room.keep(0)
    room.keep(10)

    assert histories.due(AGE_S + SLACK_S) == [room]


def test_few_are_looked_after_at_once_and_the_others_the_next_time() -> None:
    histories = Histories()
    rooms = [Shelf(histories) for _ in range(DUE_AT_ONCE + 1)]
    for room in rooms:
        room.keep(10)
        room.kept_bytes = 0

    assert len(histories.due(1_000.0)) == DUE_AT_ONCE
    assert len(histories.due(1_000.0)) == 1


def test_rooms_that_had_to_forget_are_not_remembered_until_their_time_comes() -> None:
    histories = Histories()
    rooms = [Shelf(histories) for _ in range(200)]
    for room in rooms:
        room.keep(10)
    for room in rooms[1:]:
        room.keep(0)

    assert histories.due(0.0) == []

    assert [entry[2] for entry in histories._due] == rooms[:1]
    assert list(histories._awaited) == rooms[:1]
    assert histories.due(AGE_S + SLACK_S) == rooms[:1]


def test_room_whose_messages_may_be_less_old_from_now_on_is_looked_after_sooner(histories: Histories) -> None:
    room = Shelf(histories)
    room.keep(10)

    room.rules = replace(room.rules, history_max_age_s=AGE_S / 2)
    histories.reconsider(room)

    assert histories.due(AGE_S / 2 + SLACK_S - 0.001) == []
    assert histories.due(AGE_S / 2 + SLACK_S) == [room]


def test_room_whose_rules_changed_often_is_looked_after_once_and_leaves_nothing_behind(histories: Histories) -> None:
    room = Shelf(histories)
    room.keep(10)
    for age_s in range(1000, 0, -1):
        room.rules = replace(room.rules, history_max_age_s=age_s / 1000)
        histories.reconsider(room)
        histories.due(0.0)

    assert len(histories._due) < 100
    room.kept_bytes = 0
    assert histories.due(1_000.0) == [room]
    assert histories.due(2_000.0) == []
    assert histories._due == []


def test_room_that_keeps_nothing_is_not_awaited_for_its_rules(histories: Histories) -> None:
    room = Shelf(histories)
    room.keep(10)
    room.keep(0)
    room.log = Log()

    histories.reconsider(room)

    assert len(histories._due) == 1


def test_thousands_that_are_too_many_forget_a_few_at_a_time() -> None:
    histories = Histories()
    for _ in range(DUE_AT_ONCE + 2):
        Shelf(histories).keep(10)
    histories.limit_bytes = ROOM_BYTES + 10

    assert len(histories.relieve()) == DUE_AT_ONCE
    assert len(histories.relieve()) == 1
