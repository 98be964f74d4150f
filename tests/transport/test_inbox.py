"""What is done about what a member sends: too much of it, too often, too late."""

from __future__ import annotations

import ssl
from itertools import pairwise
from threading import Event, Thread
from typing import cast

import pytest

from roomcast.relay.member import Publisher
from roomcast.relay.reasons import Reason
from roomcast.transport.goodbyes import LATE_MAX_BYTES
from roomcast.transport.inbox import READ_BYTES
from tests.running import OVER_TLS_TOO, Relay, Serve
from tests.transport.entrance import entrance
from tests.transport.rooms import ended, rooms
from tests.wire import BINARY, CLOSE, CONTINUATION, HANG_S, PING, PONG, TEXT, Rfc6455Client, frame, shake_hands_rfc6455

pytestmark = OVER_TLS_TOO

# --- messages


def test_message_of_exactly_the_limit_passes(serve: Serve) -> None:
    relay = serve(rooms(message_max_bytes=1024))
    ada, bob, old = relay.join(), relay.join(), relay.join_hixie76()

    ada.say("a" * 1024)
    assert bob.hear() == "a" * 1024
    old.say("b" * 1024)
    assert ada.hear() == "b" * 1024


def test_more_messages_than_the_rate_allows_end_the_member_behind_those_that_passed(serve: Serve) -> None:
    relay = serve(rooms(messages_per_s=1))
    ada, bob = relay.join(), relay.join()

    # A burst of twice the rate passes.
    ada.wire.send(b"".join(frame(TEXT, b"%d" % number) for number in range(5)) + frame(PING))

    assert [bob.hear(), bob.hear()] == ["0", "1"]
    assert ada.read_goodbye() == (1008, "rate limit=messages_per_s")
    ada.say_goodbye(1008)
    assert ada.wire.read_to_end() == b""
    ada.close()
    ended(relay, "rate")
    # The one too many, and the two that came with it.
    assert relay.template().dropped == {"rate": 3}


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_backlog_of_one_that_was_not_read_is_no_flood_of_its_own(serve: Serve) -> None:
    relay, clock = serve(), Clock()
    with entrance(relay, clock=clock) as door:
        ada = shake_hands_rfc6455(door.visit("192.0.2.1"), "/rooms/lobby")
        bob = shake_hands_rfc6455(door.visit("192.0.2.2"), "/rooms/lobby")
        held, _ = relay.call(lambda: list(door.membership.keep_alive))

        relay.call(lambda: held.room.hold_back(cast(Publisher, held)))
        ada.wire.send(b"".join(frame(TEXT, b"%d" % number) for number in range(501)))
        clock.now_s += 3
        relay.call(held.resume)

        # A hundred a second for three seconds, and the burst of twice that; not one more.
        assert [bob.hear() for _ in range(500)] == [str(number) for number in range(500)]
        assert ada.read_goodbye() == (1008, "rate limit=messages_per_s")


def test_more_bytes_than_the_rate_allows_end_the_member(serve: Serve) -> None:
    relay = serve(rooms(bytes_per_s=100, message_max_bytes=200))
    ada, bob, old = relay.join(), relay.join(), relay.join_hixie76()

    ada.wire.send(frame(TEXT, b"a" * 200) + frame(TEXT, b"a" * 200))
    assert bob.hear() == "a" * 200
    assert ada.read_goodbye() == (1008, "rate limit=bytes_per_s")

    old.wire.send((b"\x00" + b"b" * 200 + b"\xff") * 2)
    assert old.hear() == "a" * 200
    old.read_goodbye()


def test_message_beyond_the_rate_is_dropped_where_the_room_says_so_and_its_sender_stays(serve: Serve) -> None:
    relay = serve(rooms(messages_per_s=1, over_rate="drop"))
    ada, bob, old = relay.join(), relay.join(), relay.join_hixie76()

    ada.wire.send(b"".join(frame(TEXT, b"%d" % number) for number in range(50)))
    old.wire.send(b"".join(b"\x00%d\xff" % number for number in range(50)))

    assert sorted(bob.hear() for _ in range(4)) == ["0", "0", "1", "1"]
    relay.until(lambda: relay.server.hub.templates["rooms"].dropped.get(Reason.RATE) == 96)
    assert relay.counters.limit_hits["messages_per_s", "dropped"] == 96
    assert relay.template().received_text == 4
    # Whoever sends too much is read again after a moment, and hears the others meanwhile.
    bob.say("slow down")
    ada.wire.send(frame(PING, b"I do"))
    assert {ada.read_frame().payload for _ in range(4)} == {b"0", b"1", b"slow down", b"I do"}


def test_sender_whose_messages_are_dropped_is_not_read_for_a_moment(serve: Serve) -> None:
    relay = serve(rooms(messages_per_s=1, over_rate="drop"))
    ada = relay.join()

    # As much as many reads: were it read at once, it would be gone by the time the first pong is here.
    ada.wire.send(frame(TEXT) * 20_000 + frame(PING))

    relay.until(lambda: relay.server.hub.templates["rooms"].dropped.get(Reason.RATE, 0) > 2000)
    assert relay.counters.frames_received["rfc6455"][TEXT] < 20_000
    # Who leaves meanwhile is not read on.
    ada.close()
    relay.until(relay.is_empty)


@pytest.mark.parametrize("sent", [frame(PING) * 50, (frame(TEXT, is_final=False) + frame(CONTINUATION)) * 50])
def test_frames_that_bring_no_message_close_also_where_messages_are_dropped(serve: Serve, sent: bytes) -> None:
    toml = rooms(control_frames_per_s=1, messages_per_s=1, over_rate="drop")
    relay = serve(toml + "[limits]\nfragments_per_s = 1\nfragments_max = 2")
    ada = relay.join()

    ada.wire.send(sent)

    while (got := ada.read_frame()).opcode == PONG:
        pass
    assert got.opcode == CLOSE
    ada.close()
    ended(relay, "rate")


# --- frames that bring no message


FLOODS: dict[str, tuple[bytes, int, str]] = {
    "pings": (frame(PING), PING, "control_frames_per_s"),
    "pongs": (frame(PONG, b"x"), PONG, "control_frames_per_s"),
    "empty fragments": (frame(TEXT, is_final=False) + frame(CONTINUATION), TEXT, "fragments_per_s"),
    "tiny fragments": (frame(TEXT, b"x", is_final=False) + frame(CONTINUATION, b"x"), TEXT, "fragments_per_s"),
}


@pytest.mark.parametrize(("unit", "opcode", "limit"), FLOODS.values(), ids=FLOODS.keys())
def test_flood_of_frames_that_bring_no_message_ends_the_member_and_is_not_decoded(
    serve: Serve, unit: bytes, opcode: int, limit: str
) -> None:
    relay = serve(rooms(control_frames_per_s=5) + "[limits]\nfragments_per_s = 5\nfragments_max = 2")
    ada = relay.join()

    # One read, so that the clock has no time to give anything back.
    ada.wire.send(unit * 500)

    while (got := ada.read_frame()).opcode == PONG:
        pass
    assert got == (CLOSE, (1008).to_bytes(2, "big") + f"rate limit={limit}".encode())
    assert relay.counters.frames_received["rfc6455"][opcode] <= 11
    ada.close()
    ended(relay, "rate")


@pytest.mark.parametrize("unit", [b"\x80\x00", b"\x01\xff"])
def test_flood_of_hixie76_frames_that_are_discarded_ends_the_member(serve: Serve, unit: bytes) -> None:
    relay = serve(rooms(control_frames_per_s=5))
    old = relay.join_hixie76()

    old.wire.send(unit * 1000)

    old.read_goodbye()
    assert old.wire.read_to_end() == b""
    assert relay.counters.frames_received["hixie76"][BINARY] <= 11
    assert relay.counters.limit_hits["control_frames_per_s", "closed"] == 1
    old.close()
    ended(relay, "rate", "hixie76")


# --- many at once


def test_crowd_that_sends_at_once_is_read_over_many_turns_and_nothing_of_it_is_lost(serve: Serve) -> None:
    relay = serve(rooms(pending_max_bytes=1 << 30))
    crowd = [relay.join("/rooms/crowd") for _ in range(40)]
    ada, bob = relay.join(), relay.join()
    counters, template = relay.server.counters, relay.template()
    said = frame(TEXT) * (READ_BYTES // len(frame(TEXT)))
    messages = len(crowd) * (READ_BYTES // len(frame(TEXT))) + 1
    read_bytes: list[int] = []
    is_held, may_go_on = Event(), Event()

    def hold() -> None:
        is_held.set()
        may_go_on.wait(HANG_S)

    def is_all_read() -> bool:
        read_bytes.append(counters.received_bytes)
        return template.received_text == messages

    with relay.noticing(is_all_read):
        # So that all of it is there when the loop looks.
        holding = Thread(target=relay.call, args=(hold,))
        holding.start()
        assert is_held.wait(HANG_S)
        for member in crowd:
            member.wire.send(said)
        ada.say("hello")
        may_go_on.set()
        holding.join()

    assert bob.hear() == "hello"
    assert max(after - before for before, after in pairwise(read_bytes)) < len(crowd) * READ_BYTES / 2


# --- behind a goodbye


def late(relay: Relay, member: Rfc6455Client, sent: bytes) -> None:
    """Send something behind a goodbye, and wait until the relay has read it, be it encrypted."""
    counters = relay.server.counters
    before = relay.call(lambda: counters.received_bytes)
    member.wire.send(sent)
    relay.until(lambda: counters.received_bytes >= before + len(sent))


def test_nothing_is_decoded_of_a_member_that_was_given_up(serve: Serve) -> None:
    relay = serve(rooms(messages_per_s=1))
    ada = relay.join()

    ada.wire.send(frame(TEXT) * 5)
    assert ada.read_goodbye() == (1008, "rate limit=messages_per_s")
    # It need not say goodbye, and nobody would listen.
    assert ada.wire.read_to_end() == b""
    late(relay, ada, frame(TEXT) * 1000 + frame(PING) * 1000)

    frames = relay.counters.frames_received["rfc6455"]
    assert (frames[TEXT], frames[PING]) == (5, 0)


def test_flood_behind_a_goodbye_is_held_back_by_tcp_until_the_end(serve: Serve) -> None:
    relay = serve(rooms(messages_per_s=1))
    ada = relay.join()
    ada.wire.send(frame(TEXT) * 5)
    ada.read_goodbye()
    before = relay.counters.received_bytes

    # More than is read, and more than two kernels hold: it waits, and is reset when the relay has waited long enough.
    with pytest.raises((ConnectionError, ssl.SSLEOFError)):
        ada.wire.send(bytes(64 * 1024 * 1024))

    assert relay.counters.received_bytes - before <= LATE_MAX_BYTES + READ_BYTES
    ended(relay, "rate")


@pytest.mark.parametrize("count", [1, 2])
def test_goodbye_of_a_peer_is_awaited_in_what_may_have_been_under_way_and_no_longer(serve: Serve, count: int) -> None:
    relay = serve(rooms() + "[server]\ndrain_s = 60\n[limits]\nclose_timeout_s = 60")
    ada = relay.join()
    relay.ask_to_stop()
    assert ada.read_goodbye().code == 1012

    # The second half is beyond what is looked through: whoever has not said goodbye by then is given up.
    ada.wire.send(frame(BINARY, bytes(60_000)) * count)
    ada.wire.send(frame(TEXT))

    if count == 2:
        assert ada.wire.read_to_end() == b""
        assert relay.counters.frames_received["rfc6455"][TEXT] == 0
    else:
        relay.until(lambda: relay.server.counters.frames_received["rfc6455"][TEXT] == 1)
        ada.say_goodbye(1012)
        assert ada.wire.read_to_end() == b""
