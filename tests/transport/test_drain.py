"""Saying goodbye to everybody: in slots, in time, with dice and a clock that the test holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import ceil
from time import monotonic, time

import gevent
import pytest

from roomcast.policies.schedule import ENDING_S, Schedule
from roomcast.relay.hub import Hub
from roomcast.transport.drain import Drain
from roomcast.transport.keepalive import KeepAlive
from tests.idle import idle_counters, idle_drain, idle_hub
from tests.running import OVER_TLS_TOO, Serve
from tests.transport.rooms import BOTH_DIALECTS, Join, rooms, stall
from tests.wire import TEXT, Client, Goodbye

HANG_S = 20
RESTART = re.compile(r"restart retry_after_ms=(\d+)")
PROGRESS = ("members", "dismissed", "gone")


@pytest.fixture
def nobody() -> Iterator[KeepAlive]:
    """The members of a relay that has none."""
    hub: Hub = idle_hub()
    members = KeepAlive(hub=hub, clock=monotonic, ping_interval_s=0, pong_timeout_s=0, write_timeout_s=0, report=print)
    yield members
    members.stop()


def drain_of(members: KeepAlive, drain_s: float) -> Drain:
    return idle_drain(members, idle_counters(), drain_s)


def test_relay_without_members_is_drained_at_once(nobody: KeepAlive) -> None:
    draining = gevent.spawn(drain_of(nobody, 3600).run)

    assert draining.get(timeout=HANG_S) == 0


def test_drain_that_is_cut_short_before_it_begins_is_over(nobody: KeepAlive) -> None:
    drain = drain_of(nobody, 3600)
    drain.cut_short()

    assert drain.run() == 0


@OVER_TLS_TOO
@pytest.mark.parametrize("join", BOTH_DIALECTS)
def test_member_that_does_not_answer_is_not_waited_for_longer_than_a_goodbye_takes(serve: Serve, join: Join) -> None:
    relay = serve("[server]\ndrain_s = 3600\n[limits]\nclose_timeout_s = 0.1")
    member = join(relay)

    relay.ask_to_stop()

    member.read_goodbye()
    assert member.wire.read_to_end() == b""
    relay.wait_for_end()
    relay.diary.wait_for("stopped", members=1, cut=0)


@OVER_TLS_TOO
def test_no_time_to_drain_cuts_everybody(serve: Serve) -> None:
    relay = serve("[server]\ndrain_s = 0")
    members: list[Client] = [relay.join(), relay.join_hixie76()]

    relay.ask_to_stop()

    for member in members:
        assert member.wire.read_to_end() == b""
    relay.wait_for_end()
    relay.diary.wait_for("stopped", members=2, cut=2)
    assert relay.server.counters.disconnects["hixie76", "restart"] == 1


@OVER_TLS_TOO
def test_laggard_gets_what_it_is_owed_before_its_goodbye(serve: Serve) -> None:
    relay = serve(rooms() + "[server]\ndrain_s = 3600")
    publisher = relay.join()
    stalled, sent = stall(relay, publisher)
    relay.until(lambda: relay.server.hub.templates["rooms"].received_text == sent)

    relay.ask_to_stop()
    assert publisher.read_goodbye().code == 1012
    publisher.close()

    for _ in range(sent):
        assert stalled.read_frame().opcode == TEXT
    assert stalled.read_goodbye().code == 1012
    stalled.say_goodbye()
    assert stalled.wire.read_to_end() == b""
    stalled.close()
    relay.wait_for_end()
    relay.diary.wait_for("stopped", members=2, cut=0)


@OVER_TLS_TOO
def test_drain_that_is_cut_short_dismisses_nobody_else(serve: Serve, many_files: None) -> None:
    relay = serve("[server]\ndrain_s = 3600")
    members = [relay.join(f"/rooms/{number % 3}") for number in range(200)]

    # Twice in one turn: the second is there before the first slot is over.
    relay.ask_to_stop()
    relay.ask_to_stop()

    relay.wait_for_end()
    assert relay.diary.wait_for("stopped", members=200)["cut"] > 0
    for member in members:
        member.wire.read_to_end()


# --- the plan, kept


def told_ms(goodbye: Goodbye) -> int:
    told = RESTART.fullmatch(goodbye.reason)
    assert told is not None
    return int(told[1])


@OVER_TLS_TOO
def test_each_member_is_told_its_own_place_in_a_stream_of_what_a_node_accepts(serve: Serve, many_files: None) -> None:
    relay = serve("[server]\ndrain_s = 20\naccept_per_s = 40")
    members = [relay.join(f"/rooms/{number % 7}") for number in range(80)]

    begun_s = monotonic()
    relay.ask_to_stop()
    back_s = []
    for member in members:
        goodbye = member.read_goodbye()
        back_s.append(monotonic() + told_ms(goodbye) / 1000)
        member.close()
    relay.wait_for_end()

    plan = Schedule(80, 20, 40)
    # Read later than it was said, so what it says seems later by as much: at most the whole drain.
    assert begun_s + plan.return_s <= min(back_s)
    assert relay.diary.wait_for("draining", members=80, all_back_s=23.5)


@OVER_TLS_TOO
def test_members_that_cannot_be_told_are_dismissed_no_faster_than_they_can_come_back(serve: Serve) -> None:
    relay = serve("[server]\ndrain_s = 3600\naccept_per_s = 100")
    members = [relay.join_hixie76() for _ in range(60)]

    begun_s = monotonic()
    relay.ask_to_stop()
    for member in members:
        member.read_goodbye()
        member.say_goodbye()
        member.close()

    relay.wait_for_end()
    assert monotonic() - begun_s >= Schedule(60, 3600, 100).dismissal_s * 59 / 60


def test_event_stream_is_told_to_come_back_at_its_place(serve: Serve) -> None:
    relay = serve("[server]\ndrain_s = 20\naccept_per_s = 1")
    stream = relay.stream()
    stream.begin()

    relay.ask_to_stop()

    told = stream.told("goodbye")
    assert told["code"] == 1012
    # One place, a second wide, behind drain_s and the end of the process.
    assert 20_000 < told["reconnect_after_ms"] <= 22_500
    assert stream.source.reconnection_time_ms == told["reconnect_after_ms"]


def test_pace_is_what_the_settings_say_when_it_begins(nobody: KeepAlive) -> None:
    drain = drain_of(nobody, 3600)

    drain.drain_s, drain.accept_per_s = 7, 5
    drain.run()

    assert drain.retry_after_s() == 9


def test_who_is_refused_lines_up_and_who_only_asks_does_not(nobody: KeepAlive) -> None:
    drain = drain_of(nobody, 7)
    drain.accept_per_s = 1
    drain.run()

    assert [drain.line_up(), drain.line_up(), drain.retry_after_s(), drain.line_up()] == [9, 10, 9, 11]


def test_drain_without_time_lets_nobody_wait(nobody: KeepAlive) -> None:
    drain = drain_of(nobody, 0)

    assert drain.run() == 0
    assert drain.retry_after_s() == ceil(ENDING_S)


# --- how far it got


def test_progress_stands_in_metrics_and_log(serve: Serve) -> None:
    relay = serve("[server]\ndrain_s = 60\naccept_per_s = 1\n[limits]\nclose_timeout_s = 60")
    member, others = relay.join(), [relay.join_hixie76(), relay.join()]
    assert [relay.metric(f"roomcast_drain_{name}") for name in PROGRESS] == [0, 0, 0]
    assert relay.metric("roomcast_drain_end_timestamp_seconds") == 0

    relay.ask_to_stop()
    member.read_goodbye()
    member.say_goodbye(1012)
    member.close()
    relay.until(lambda: relay.server.counters.drain_gone == 1)

    assert relay.metric("roomcast_drain_members") == 3
    assert 1 <= relay.metric("roomcast_drain_dismissed") <= 3
    assert 0 < relay.metric("roomcast_drain_end_timestamp_seconds") - time() <= 60
    first = relay.diary.wait_for("draining", members=3)
    assert (first["drain_s"], first["all_back_s"]) == (60, 64.5)
    # Once a second, while somebody is there.
    later = relay.diary.wait_for("draining", left=2)
    assert 1 <= later["dismissed"] <= 3
    relay.ask_to_stop()
    relay.wait_for_end()
    counters = relay.server.counters
    assert (counters.drain_members, counters.drain_gone) == (1 + len(others), 1 + len(others))


def test_member_that_left_before_its_turn_was_not_dismissed(serve: Serve) -> None:
    relay = serve("[server]\ndrain_s = 60\naccept_per_s = 1")
    first, second = relay.join(), relay.join()

    relay.ask_to_stop()
    # Its turn is a second later.
    second.say_goodbye()
    assert first.read_goodbye().code == 1012
    first.say_goodbye(1012)

    relay.wait_for_end()
    assert relay.server.counters.disconnects["rfc6455", "peer"] == 1
    counters = relay.server.counters
    assert (counters.drain_members, counters.drain_dismissed, counters.drain_gone) == (2, 1, 2)
