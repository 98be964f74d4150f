"""The relay as a whole: where it serves, how it stops, and what is left of it."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from threading import Thread

import pytest
from gevent.hub import get_hub

from roomcast.relay.message import Kind, Message
from roomcast.server import Server
from tests.diary import Diary
from tests.event_source import stream_head
from tests.running import Relay, Serve, settings
from tests.transport.rooms import rooms, stall
from tests.wire import (
    HANG_S,
    KEY3,
    Wire,
    connect,
    get,
    hixie76_head,
    rfc6455_head,
    shake_hands_rfc6455,
)

LOBBY = "/rooms/lobby"
RESTART = re.compile(r"restart retry_after_ms=(\d+)")


# --- doors


def check_enters_by(relay: Relay, address: str) -> None:
    assert isinstance(relay.address, tuple)
    with connect((address, relay.address[1])) as wire:
        ada = shake_hands_rfc6455(wire, LOBBY)
        relay.diary.wait_for("joined")
        ada.say_goodbye()
        assert ada.read_goodbye() == (1000, "peer")


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_relay_listens_on_an_address_or_on_all(serve: Serve, host: str) -> None:
    check_enters_by(serve(f'[server]\nhost = "{host}"'), "127.0.0.1")


@pytest.mark.parametrize(("host", "address"), [("::1", "::1"), ("::", "::1"), ("::", "127.0.0.1")])
def test_ipv6_relay_listens_on_an_address_or_on_all_of_both_families(serve: Serve, host: str, address: str) -> None:
    check_enters_by(serve(f'[server]\nhost = "{host}"'), address)


def test_relay_listens_on_a_path(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "public.sock"
    relay = serve(f'[server]\nhost = "unix:{path}"\n[limits]\nconnections_per_address = 1')
    assert relay.address == str(path)

    # A path's peers have no address, so they are not counted by it either.
    new, old = relay.join(), relay.join_hixie76()
    new.say("hello")
    assert old.hear() == "hello"
    relay.stop()

    assert not path.exists()


def test_what_a_stalled_member_pins_in_the_kernel_is_bounded_on_a_path_too(serve: Serve, tmp_path: Path) -> None:
    def sent_until_stalled(send_buffer_bytes: int) -> int:
        door = f'[server]\nhost = "unix:{tmp_path}/{send_buffer_bytes}.sock"\n'
        relay = serve(rooms() + door + f"[limits]\nsend_buffer_bytes = {send_buffer_bytes}")
        return stall(relay, relay.join())[1]

    # What the system takes by itself is 208 KiB, where nobody has changed it.
    assert 2 * sent_until_stalled(16_384) < sent_until_stalled(0)


# --- readiness, draining


def test_doors_say_that_they_are_ready(serve: Serve) -> None:
    relay = serve()

    assert relay.ask(get("/-/ready")).status == 200
    assert relay.ask_admin("/readyz").status == 200
    assert relay.ask_admin("/healthz").status == 200
    assert (relay.metric("roomcast_ready"), relay.metric("roomcast_draining")) == (1, 0)


def test_members_are_told_when_to_come_back_behind_what_they_are_owed(serve: Serve) -> None:
    relay = serve("[server]\ndrain_s = 20")
    new, old, third = relay.join(), relay.join_hixie76(), relay.join()

    third.say("the last word")
    relay.until(lambda: relay.server.hub.templates["rooms"].received_text == 1)
    relay.ask_to_stop()

    assert new.hear() == old.hear() == "the last word"
    for member in (new, third):
        code, reason = member.read_goodbye()
        assert code == 1012
        told = RESTART.fullmatch(reason)
        assert told is not None
        # Behind the end of this process, which may take until then.
        assert 15_000 < int(told[1]) <= 22_000
        member.say_goodbye(1012)
        assert member.wire.read_to_end() == b""
        member.close()
    old.read_goodbye()
    old.say_goodbye()
    assert old.wire.read_to_end() == b""
    old.close()
    relay.wait_for_end()
    assert relay.diary.wait_for("draining", members=3)
    assert relay.diary.wait_for("stopped", members=3, cut=0)
    assert relay.server.counters.disconnects["rfc6455", "restart"] == 2
    assert relay.server.counters.disconnects["hixie76", "restart"] == 1


def draining(serve: Serve, server: str = "") -> tuple[Relay, Wire]:
    """Return a relay that drains, and the member that keeps it from ending: it does not answer the goodbye."""
    relay = serve(f"[server]\ndrain_s = 60\n{server}\n[limits]\nclose_timeout_s = 60")
    ada = relay.join()
    relay.ask_to_stop()
    assert ada.read_goodbye().code == 1012
    return relay, ada.wire


def test_newcomers_are_told_503_while_the_relay_drains(serve: Serve) -> None:
    relay, _ = draining(serve)

    for request in (get("/-/ready"), get(LOBBY), rfc6455_head(LOBBY), hixie76_head(LOBBY) + KEY3, stream_head(LOBBY)):
        answer = relay.ask(request)
        assert (answer.status, answer.body) == (503, b"draining: try again\n")
        # Behind the end of this process, and the one member.
        assert 40 < int(answer.headers["retry-after"]) <= 62
    assert relay.ask_admin("/readyz").status == 503
    assert relay.ask_admin("/healthz").status == 200
    assert (relay.metric("roomcast_ready"), relay.metric("roomcast_draining")) == (0, 1)
    # A page is still a page, a wrong path still wrong.
    assert relay.ask(get("/")).status == 200
    assert relay.ask(get("/lobby")).status == 404
    assert relay.diary.wait_for("refused", status=503, outcome="draining")
    relay.ask_to_stop()


def test_newcomers_who_are_refused_line_up_and_do_not_come_back_together(serve: Serve) -> None:
    relay, _ = draining(serve, server="accept_per_s = 1")

    waits_s = [int(relay.ask(rfc6455_head(LOBBY)).headers["retry-after"]) for _ in range(30)]
    # Who only asks takes nobody's place.
    probed_s = int(relay.ask(get("/-/ready")).headers["retry-after"])

    # Each is a second behind the one before it, less the time that passed since.
    assert all(later_s - earlier_s in (0, 1) for earlier_s, later_s in pairwise(waits_s)), waits_s
    assert waits_s[-1] > waits_s[0] >= probed_s
    relay.ask_to_stop()


def test_handshake_that_ends_while_the_relay_drains_makes_no_member(serve: Serve) -> None:
    relay = serve("[server]\ndrain_s = 60\n[limits]\nclose_timeout_s = 60")
    ada, late = relay.join(), relay.connect()
    late.send(hixie76_head(LOBBY))
    assert late.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")

    relay.ask_to_stop()
    assert ada.read_goodbye().code == 1012
    late.send(KEY3)

    assert late.read_to_end() == b""
    assert relay.counters.handshakes["hixie76", "draining"] == 1
    relay.ask_to_stop()


def test_second_request_to_stop_ends_the_drain(serve: Serve) -> None:
    relay, wire = draining(serve)

    relay.ask_to_stop()

    relay.wait_for_end()
    assert wire.read_to_end() == b""
    assert relay.diary.wait_for("stopped", cut=1)


def test_stalled_member_is_cut_at_the_end_of_the_drain(serve: Serve) -> None:
    relay = serve(rooms() + "[server]\ndrain_s = 0.2")
    ada = relay.join()
    stall(relay, ada)

    relay.ask_to_stop()

    assert ada.read_goodbye().code == 1012
    ada.say_goodbye()
    ada.close()
    relay.wait_for_end()
    assert relay.diary.wait_for("stopped", members=2, cut=1)
    assert relay.server.counters.disconnects["rfc6455", "restart"] == 2


def test_members_are_dismissed_in_a_stream_and_not_in_a_wave(serve: Serve, many_files: None) -> None:
    relay = serve("[server]\ndrain_s = 20")
    members = [relay.join(f"/rooms/{number % 7}") for number in range(600)]

    begun_s = time.monotonic()
    relay.ask_to_stop()
    for member in members:
        told = RESTART.fullmatch(member.read_goodbye().reason)
        assert told is not None
        # As they go, so they come back: behind drain_s and the end of the process, equally long away.
        assert int(told[1]) <= 21_500 + 1000 / 500 + 1
        member.close()
    relay.wait_for_end()

    # The last of them has waited for 599 others, at 500 a second.
    assert time.monotonic() - begun_s >= 599 / 500
    assert relay.diary.wait_for("stopped", members=600, cut=0)


def test_relay_that_is_told_to_stop_before_its_doors_are_open_ends_when_they_are() -> None:
    ended: Future[bool] = Future()

    def run() -> None:
        server = Server(settings("[server]\ndrain_s = 60"), Diary().journal)
        server.ask_to_stop()
        server.open()
        server.run()
        get_hub().destroy(destroy_loop=True)
        ended.set_result(server.counters.is_draining)

    Thread(target=run, daemon=True).start()

    assert ended.result(HANG_S)


# --- nothing is left

# What `until` has active itself while it looks.
LOOKING = 2


def test_relay_is_as_it_was_when_everybody_has_gone(serve: Serve) -> None:
    relay = serve(rooms(message_max_bytes=16_384) + "[limits]\nclose_timeout_s = 0.1\nhandshake_timeout_s = 0.1")
    watchers = relay.call(relay.watchers)
    publisher = relay.join()
    stall(relay, publisher)
    stall(relay, publisher)[0].wire.reset()
    leaving, refused, vanishing, old = relay.join(), relay.join(), relay.join(), relay.join_hixie76()

    leaving.say_goodbye()
    refused.wire.send(b"not a frame")
    vanishing.wire.reset()
    old.say_goodbye()
    relay.connect().send(b"GET / HT")
    relay.connect().send(hixie76_head(LOBBY))
    assert relay.ask(b"POST / HTTP/1.1\r\n\r\n").status == 405

    relay.expect_clean()
    relay.until(lambda: relay.watchers() <= watchers + LOOKING)


# --- faults of ours


@pytest.mark.parametrize(("form", "is_json"), [("json", True), ("console", False)])
def test_loop_that_is_stuck_is_reported_in_the_form_of_all_lines(serve: Serve, form: str, is_json: bool) -> None:
    relay = serve(f'[log]\nformat = "{form}"')
    with stderr() as reader:
        # This blocks the loop until the watchdog has complained of it.
        line = relay.call(lambda: os.read(reader, 65_536)).decode()

    assert "loop stuck" in line
    assert line.startswith("{") is is_json


@contextmanager
def stderr() -> Iterator[int]:
    """Yield a descriptor to read from what this process writes to its standard error."""
    before, (reader, writer) = os.dup(2), os.pipe()
    os.dup2(writer, 2)
    os.close(writer)
    try:
        yield reader
    finally:
        os.dup2(before, 2)
        os.close(before)
        os.close(reader)


def test_fault_in_one_room_ends_that_room_only(serve: Serve) -> None:
    relay = serve()
    old, bob = relay.join_hixie76("/rooms/broken"), relay.join("/rooms/broken")
    ada, cai = relay.join("/rooms/whole"), relay.join("/rooms/whole")

    # No client can say this: text that is not UTF-8 does not get past the protocol, and hixie-76 cannot carry it.
    relay.call(lambda: relay.server.hub.deliver(Message("/rooms/broken", 1, Kind.TEXT, b"a secret \xff", None, 0.0)))

    assert old.wire.read_to_end() == b"\xff\x00"
    assert b"secret" not in bob.wire.read_to_end()
    ada.say("still here")
    assert cai.hear() == "still here"
    record = relay.diary.wait_for("internal fault", room="/rooms/broken", error="ValueError")
    assert "hixie76.py" in record["where"]
    assert "secret" not in str(relay.diary.read())
    old.close()
    assert relay.diary.wait_for("left", dialect="hixie76", reason="internal")
