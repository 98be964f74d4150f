"""Pings, and the deadlines of those who say or take nothing. Times are the shortest that the settings allow."""

from __future__ import annotations

import math
from typing import Any

import pytest
from gevent.hub import get_hub

from roomcast.relay.reasons import Reason
from roomcast.transport.keepalive import LiveMember
from roomcast.transport.websocket import WebSocketMember
from tests.running import OVER_TLS_TOO, Relay, Serve
from tests.transport.rooms import SMALL_BUFFER, ended, rooms, stall
from tests.wire import PING, PONG, TEXT, Rfc6455Client, frame

pytestmark = OVER_TLS_TOO

# For members that answer, within a time that a busy machine keeps too; and for those that do not.
OFTEN = "[limits]\nping_interval_s = 0.3\npong_timeout_s = 0.3\n"
AT_ONCE = "[limits]\nping_interval_s = 0.1\npong_timeout_s = 0.1\n"
NO_DEADLINE = "[limits]\nping_interval_s = 0.1\npong_timeout_s = 0\n"
ROUNDS = 3
"""Two of them end a member that is silent after a ping."""


def next_ping(member: Rfc6455Client) -> None:
    while (got := member.read_frame()).opcode != PING:
        assert got.opcode == PONG
    assert got.payload == b""


@pytest.mark.parametrize("sent", [frame(PONG), frame(PING), frame(TEXT, b"hello")], ids=["pong", "ping", "message"])
def test_member_that_gives_any_sign_of_life_stays(serve: Serve, sent: bytes) -> None:
    relay = serve(OFTEN)
    member = relay.join()

    for _ in range(ROUNDS):
        next_ping(member)
        member.wire.send(sent)

    assert relay.template().members == 1
    assert relay.counters.frames_sent["rfc6455"][PING] >= ROUNDS


def test_member_that_is_silent_after_a_ping_is_told_so_and_closed(serve: Serve) -> None:
    relay = serve(AT_ONCE)
    member = relay.join()

    next_ping(member)

    assert member.read_goodbye() == (1011, "pong_timeout")
    member.say_goodbye(1011)
    member.close()
    relay.until(lambda: relay.server.counters.disconnects["rfc6455", "pong_timeout"] == 1)
    relay.diary.wait_for("left", reason="pong_timeout")


def test_member_that_vanished_is_closed_though_nothing_can_be_told(serve: Serve) -> None:
    relay = serve(AT_ONCE + "close_timeout_s = 0.1")
    relay.join()

    relay.until(lambda: relay.server.counters.disconnects["rfc6455", "pong_timeout"] == 1)


def test_bytes_that_are_no_message_yet_are_life(serve: Serve) -> None:
    relay = serve(OFTEN)
    member = relay.join()
    text = frame(TEXT, b"slow")

    for start in range(ROUNDS):
        next_ping(member)
        member.wire.send(text[start : start + 1])
    member.wire.send(text[ROUNDS:])

    next_ping(member)
    assert relay.template().received_text == 1


def test_hixie76_has_no_ping_and_may_be_silent(serve: Serve) -> None:
    relay = serve(OFTEN)
    new, old = relay.join(), relay.join_hixie76()

    for _ in range(ROUNDS):
        next_ping(new)
        new.wire.send(frame(PONG))
    new.say("still there?")

    assert old.hear() == "still there?"


def test_every_member_is_pinged_again_and_again(serve: Serve) -> None:
    relay = serve(NO_DEADLINE)
    members = [relay.join(f"/rooms/{number}") for number in range(150)]

    for _ in range(2):
        for member in members:
            next_ping(member)

    assert relay.template().members == 150


def test_clockwork_goes_on_however_often_it_is_told_to_go_by_the_same_times(serve: Serve) -> None:
    relay = serve("[limits]\nping_interval_s = 10\npong_timeout_s = 10")
    member = relay.join()

    def reload_again_and_again() -> Any:
        storm = get_hub().loop.timer(0.0, 0.01)
        times = {"ping_interval_s": 10, "pong_timeout_s": 10, "write_timeout_s": 30}
        storm.start(lambda: relay.server.keep_alive.change(**times))
        return storm

    storm = relay.call(reload_again_and_again)
    try:
        next_ping(member)
    finally:
        relay.call(storm.close)


def test_laggard_is_not_pinged_and_lives_by_taking_what_it_is_owed(serve: Serve) -> None:
    relay = serve(rooms() + OFTEN)
    publisher = relay.join()
    stalled, sent = stall(relay, publisher)
    # It may have been pinged before it stalled.
    stalled.wire.send(frame(PONG))

    for _ in range(ROUNDS):
        next_ping(publisher)
        publisher.wire.send(frame(PONG))
    assert relay.template().laggards == 1

    texts = pings = 0
    while texts < sent:
        opcode, _ = stalled.read_frame()
        texts += opcode == TEXT
        if opcode == PING:
            pings += 1
            stalled.wire.send(frame(PONG))
    # That one came before it stalled.
    assert pings <= 1
    assert relay.template().dropped == {}


def test_member_that_never_wakes_is_closed_when_its_room_has_left_it_behind(serve: Serve) -> None:
    relay = serve(rooms(lag_max_bytes=131_072) + "[limits]\nwrite_timeout_s = 0\nclose_timeout_s = 0.1")
    publisher = relay.join()
    stall(relay, publisher)

    for _ in range(20):
        publisher.say("x" * 16_384)

    # It reads nothing, so not even the close frame gets through: it is cut when its time is over.
    relay.until(lambda: relay.server.counters.disconnects["rfc6455", "lagging"] == 1)
    assert relay.template().dropped[Reason.LAGGING] > 0


def test_silent_member_stays_where_no_pong_is_waited_for(serve: Serve) -> None:
    relay = serve(NO_DEADLINE)
    member = relay.join()

    for _ in range(ROUNDS):
        next_ping(member)

    assert relay.template().members == 1


# --- the write deadline


def waiting_too_long(relay: Relay) -> LiveMember:
    """Return the one member that waits to be writable, which has been waiting for longer than it may."""
    [member] = relay.server.hub.budget.waiting
    assert isinstance(member, WebSocketMember)
    member.progress_s = -math.inf
    return member


def test_reader_that_is_slow_but_takes_something_is_not_cut(serve: Serve) -> None:
    relay = serve(rooms())
    stalled, _ = stall(relay, relay.join())
    member = relay.call(lambda: waiting_too_long(relay))
    before = relay.call(member.acknowledged_bytes)

    stalled.wire.socket.recv(SMALL_BUFFER)
    relay.until(lambda: member.acknowledged_bytes() > before)
    relay.call(relay.server.keep_alive.sweep)

    assert (relay.template().laggards, member.progress_s > 0) == (1, True)


def test_reader_that_takes_nothing_any_more_is_cut(serve: Serve) -> None:
    relay = serve(rooms())
    stall(relay, relay.join())
    relay.call(lambda: waiting_too_long(relay))

    relay.call(relay.server.keep_alive.sweep)

    ended(relay, "write_timeout")
