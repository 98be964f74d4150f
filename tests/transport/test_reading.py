"""How members are read: in turns with all others, and behind a goodbye so far and no further."""

from __future__ import annotations

import ssl
from itertools import pairwise
from threading import Event, Thread

import pytest

from roomcast.transport.goodbyes import LATE_MAX_BYTES
from roomcast.transport.reading import READ_BYTES
from tests.running import OVER_TLS_TOO, Relay, Serve
from tests.transport.rooms import ended, rooms
from tests.wire import BINARY, HANG_S, PING, TEXT, Rfc6455Client, frame

pytestmark = OVER_TLS_TOO

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
