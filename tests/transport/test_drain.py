"""Saying goodbye to everybody: in slots, in time, with dice and a clock that the test holds."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic

import gevent
import pytest

from roomcast.relay.hub import Hub
from roomcast.transport.drain import Drain
from roomcast.transport.keepalive import KeepAlive
from tests.idle import idle_hub
from tests.running import OVER_TLS_TOO, Serve
from tests.transport.rooms import BOTH_DIALECTS, Join, rooms, stall
from tests.wire import TEXT, Client

HANG_S = 20


@pytest.fixture
def nobody() -> Iterator[KeepAlive]:
    """The members of a relay that has none."""
    hub: Hub = idle_hub()
    members = KeepAlive(hub=hub, clock=monotonic, ping_interval_s=0, pong_timeout_s=0, write_timeout_s=0, report=print)
    yield members
    members.stop()


def drain_of(members: KeepAlive, drain_s: float) -> Drain:
    return Drain(members, clock=monotonic, dice=lambda: 0.5, drain_s=drain_s)


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
