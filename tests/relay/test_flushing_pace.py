"""When busy rooms rest, and that they are woken: in time, by one timer, and always."""

import pytest

from roomcast.relay.flushing import PACE_ABOVE_S, PACE_FACTOR, TIMER_SLACK_S
from roomcast.relay.message import OVERHEAD_BYTES
from roomcast.relay.room import PASS_BYTES
from tests.relay.driven_relay import REST_S, Relay, served

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
