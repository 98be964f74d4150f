"""Where most is said: by name, and the rest as one; averaged over two windows, and kept for no room."""

from __future__ import annotations

from roomcast.relay.busiest import ROWS, WINDOW_S, Busiest
from roomcast.relay.counters import TemplateCounters
from roomcast.relay.hub import Hub
from roomcast.relay.message import Kind
from roomcast.relay.rules import RoomRules
from tests.relay.driven_relay import ANGLES, Relay
from tests.relay.fake_wire import ROOMY, FakeMember


class Told:
    """The busiest rooms, on a clock in the test's hand."""

    def __init__(self, names_max: int = 2) -> None:
        self.now_s = 100.0
        self.busiest = Busiest(names_max, lambda: self.now_s)

    def say(self, **messages: int) -> None:
        for room, count in messages.items():
            self.busiest.add(room, count, self.now_s)

    def after(self, seconds: float) -> tuple[list[tuple[str, float]], float]:
        self.now_s += seconds
        return self.busiest.per_second()


def test_nothing_is_said_at_first() -> None:
    assert Told().after(0) == ([], 0)


def test_busiest_are_named_and_all_others_are_one() -> None:
    told = Told(names_max=2)

    told.say(a=10, b=30, c=20, d=5)

    assert told.after(5) == ([("b", 6.0), ("c", 4.0)], 3.0)


def test_first_moment_counts_as_a_second() -> None:
    told = Told()

    told.say(a=10)

    assert told.after(0.001) == ([("a", 10.0)], 0.0)


def test_silence_before_the_first_message_counts() -> None:
    told = Told()
    told.now_s += 5

    told.say(a=10)

    assert told.after(0) == ([("a", 2.0)], 0.0)


def test_window_that_is_over_counts_until_the_next_one_is() -> None:
    told = Told()
    told.say(a=20)

    assert told.after(WINDOW_S) == ([("a", 2.0)], 0.0)
    told.say(a=10)
    assert told.after(WINDOW_S - 1) == ([("a", 30 / 19)], 0.0)
    assert told.after(1) == ([("a", 1.0)], 0.0)
    assert told.after(WINDOW_S) == ([], 0.0)


def test_message_after_a_window_begins_the_next_one() -> None:
    told = Told()
    told.say(a=20)
    told.now_s += WINDOW_S

    told.say(a=40)

    assert told.after(2) == ([("a", 5.0)], 0.0)


def test_who_comes_after_a_long_silence_is_not_divided_by_it() -> None:
    told = Told()
    told.say(a=20)
    told.now_s += 10 * WINDOW_S

    told.say(b=20)

    assert told.after(2) == ([("b", 10.0)], 0.0)


def test_of_more_rooms_than_there_are_rows_the_busy_one_is_found_and_the_sum_is_right() -> None:
    told = Told(names_max=1)

    for number in range(2 * ROWS):
        told.say(**{f"room-{number}": 1})
        told.say(busy=1)

    named, other = told.after(1)
    assert named == [("busy", 2.0 * ROWS)]
    assert other == 2.0 * ROWS


# --- fed by the hub


def hub_of(relay: Relay) -> tuple[Hub, Busiest]:
    busiest = relay.hub.busiest
    assert busiest is not None
    return relay.hub, busiest


def test_hub_counts_each_message_once_however_many_hear_it() -> None:
    relay = Relay(busiest=3)
    (room, _), (quiet, _) = relay.fill("/rooms/a", 100), relay.fill("/rooms/b", 1)

    for _ in range(3):
        relay.say(room)
    relay.say(quiet)
    relay.loop.end_turn()
    while room.is_flushing:
        relay.loop.wait()
    relay.loop.now_s = 2.0

    assert hub_of(relay)[1].per_second() == ([("/rooms/a", 1.5), ("/rooms/b", 0.5)], 0.0)


def test_hub_counts_what_came_in_by_another_door_and_is_kept_for_those_who_come() -> None:
    relay = Relay(busiest=3)
    hub, busiest = hub_of(relay)

    hub.publish_to("/rooms/a", RoomRules(history_messages=10), TemplateCounters("rooms"), Kind.TEXT, b"hello")
    relay.loop.end_turn()

    assert busiest.per_second().named == [("/rooms/a", 1.0)]


def test_hub_counts_no_room_of_the_relay_s_own() -> None:
    relay = Relay(busiest=3)
    hub, busiest = hub_of(relay)
    room = hub.rooms.open_aside("/-/own", RoomRules(echo=True), TemplateCounters("own"))
    member = FakeMember(ANGLES, ROOMY)
    room.join(member)

    relay.say(room)
    relay.loop.end_turn()

    assert member.offers == [b"<hello>"]
    assert busiest.per_second() == ([], 0)


def test_hub_that_nobody_asks_counts_nothing() -> None:
    relay = Relay()
    room, _ = relay.join("/rooms/a")

    relay.flush(room)

    assert relay.hub.busiest is None
