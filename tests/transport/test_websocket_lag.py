"""Slow readers and fast publishers: what they cost the others, and what they get."""

from __future__ import annotations

import selectors
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from roomcast.relay.message import Kind, Message
from roomcast.relay.reasons import Reason
from tests.running import OVER_TLS_TOO, Relay, Serve
from tests.transport.rooms import BOTH_DIALECTS, LOBBY, SMALL_BUFFER, Join, ended, number_of, numbered, rooms, stall
from tests.wire import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    Client,
    Rfc6455Client,
    frame,
    goodbye_of,
    rfc6455_head,
)

pytestmark = OVER_TLS_TOO

# --- slow readers


def read_until_number(client: Client, last: int) -> list[int]:
    """Read large messages up to this one, and return their numbers."""
    numbers = [-1]
    while numbers[-1] != last:
        numbers.append(number_of(client.hear()))
    return numbers[1:]


def publish_and_hear(publisher: Client, reader: Client, numbers: range) -> list[int]:
    """Publish one large message after the other, each when the last has arrived; return all that arrived."""
    heard: list[int] = []
    for number in numbers:
        publisher.say(numbered(number))
        heard += read_until_number(reader, number)
    return heard


@pytest.mark.parametrize("join", BOTH_DIALECTS)
def test_reader_that_stalls_delays_nobody_and_catches_up(serve: Serve, join: Join) -> None:
    relay = serve(rooms())
    ada = relay.join()
    stalled, sent = stall(relay, ada)
    # Who came before might have stalled as well, on a machine that is busy elsewhere.
    bob = join(relay)

    more = sent + 100
    publish_and_hear(ada, bob, range(sent, more))
    assert relay.template().laggards == 1

    assert read_until_number(stalled, more - 1) == list(range(more))
    relay.until(lambda: relay.server.hub.templates["rooms"].laggards == 0)
    ada.say("now")
    assert stalled.hear() == "now"
    assert relay.template().dropped == {}


def test_reader_that_falls_too_far_behind_is_closed(serve: Serve) -> None:
    # Time enough to read all that its kernel holds, and then the close frame.
    relay = serve(rooms(lag_max_bytes=131_072) + "[limits]\nclose_timeout_s = 20")
    ada = relay.join()
    stalled, sent = stall(relay, ada)
    # Who came before might have stalled as well, on a machine that is busy elsewhere.
    bob = relay.join()

    heard_by_bob = publish_and_hear(ada, bob, range(sent, sent + 50))
    relay.until(lambda: relay.server.hub.templates["rooms"].dropped.get(Reason.LAGGING, 0) > 0)

    heard = 0
    while (got := stalled.read_frame()).opcode == TEXT:
        assert number_of(got.payload.decode()) == heard
        heard += 1
    assert (got.opcode, goodbye_of(got.payload)) == (CLOSE, (1013, "lagging"))
    stalled.say_goodbye(1013)
    stalled.close()
    ended(relay, "lagging")
    # Each message is counted once: the one that was half written when it was given up, either way.
    template = relay.template()
    assert template.delivered + template.dropped[Reason.LAGGING] == sent + 50 + len(heard_by_bob)
    assert heard < sent + 50


def test_reader_that_falls_too_far_behind_skips_to_the_newest_where_the_room_says_so(serve: Serve) -> None:
    relay = serve(rooms(lag_max_bytes=131_072, overflow="skip"))
    ada = relay.join()
    stalled, sent = stall(relay, ada)
    bob = relay.join()

    last = sent + 49
    publish_and_hear(ada, bob, range(sent, last + 1))
    numbers = read_until_number(stalled, last)

    assert numbers == sorted(set(numbers))
    assert len(numbers) < last + 1
    assert relay.template().dropped == {"lagging": last + 1 - len(numbers)}
    # It is still a member like any other.
    ada.say("now")
    assert stalled.hear() == "now"
    stalled.say("here I am")
    assert ada.hear() == "here I am"


def test_control_frame_for_a_slow_reader_never_lands_inside_a_message(serve: Serve) -> None:
    relay = serve(rooms())
    ada = relay.join()
    stalled, sent = stall(relay, ada)

    stalled.wire.send(frame(PING, b"1") + frame(PING, b"2") + frame(TEXT, b"I can still talk"))
    assert ada.hear() == "I can still talk"

    relay.until(lambda: relay.server.hub.templates["rooms"].received_text == sent + 1)
    frames = [stalled.read_frame() for _ in range(sent + 1)]
    # Of several pongs only the newest is owed (RFC 6455, 5.5.3).
    assert [payload for opcode, payload in frames if opcode == PONG] == [b"2"]
    assert [number_of(payload.decode()) for opcode, payload in frames if opcode == TEXT] == list(range(sent))


def test_slow_reader_that_says_goodbye_is_answered_behind_all_that_it_is_owed(serve: Serve) -> None:
    relay = serve(rooms())
    ada = relay.join()
    stalled, sent = stall(relay, ada)
    relay.until(lambda: relay.server.hub.templates["rooms"].received_text == sent)

    stalled.say_goodbye(1001)

    assert read_until_number(stalled, sent - 1) == list(range(sent))
    assert stalled.read_goodbye() == (1001, "peer")
    assert stalled.wire.read_to_end() == b""


@pytest.mark.parametrize("how", ["close", "reset"])
def test_slow_reader_that_vanishes_leaves_nothing(serve: Serve, how: str) -> None:
    relay = serve(rooms())
    ada = relay.join()
    stalled, _ = stall(relay, ada)

    {"close": stalled.close, "reset": stalled.wire.reset}[how]()

    ended(relay, "gone")
    template = relay.template()
    assert template.laggards == 0
    assert template.dropped[Reason.GONE] > 0
    assert relay.call(lambda: relay.server.hub.budget.held_bytes) == 0


def test_reader_that_takes_nothing_for_too_long_is_cut(serve: Serve) -> None:
    relay = serve(rooms() + "[limits]\nwrite_timeout_s = 0.2")
    ada = relay.join()
    stall(relay, ada)

    ended(relay, "write_timeout")
    assert relay.template().dropped[Reason.WRITE_TIMEOUT] > 0


def test_message_that_fits_no_buffer_arrives_in_as_many_pieces_as_it_takes(serve: Serve) -> None:
    relay = serve(rooms(message_max_bytes=4_194_304, lag_max_bytes=16_777_216, pending_max_bytes=4_194_304))
    ada, bob = relay.join(), relay.join(receive_buffer_bytes=SMALL_BUFFER)
    payload = bytes(range(256)) * 12_000

    ada.wire.send(frame(BINARY, payload) + frame(TEXT, b"done"))

    assert bob.read_frame() == (BINARY, payload)
    assert bob.hear() == "done"


def test_greeting_that_fits_no_buffer_comes_whole_and_before_anything_else(serve: Serve, tmp_path: Path) -> None:
    # The kernel holds less for a path than for a port.
    greeting = "welcome " * 60_000
    limits = {"message_max_bytes": 1_048_576, "lag_max_bytes": 4_194_304}
    relay = serve(rooms(greeting=greeting, **limits) + f'[server]\nhost = "unix:{tmp_path}/public.sock"')
    ada = relay.join()
    assert ada.hear() == greeting
    bob = relay.connect()
    bob.send(rfc6455_head(LOBBY))
    relay.until(lambda: relay.server.hub.templates["rooms"].members == 2)

    ada.say("hello")

    assert bob.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
    member = Rfc6455Client(bob)
    assert [member.hear(), member.hear()] == [greeting, "hello"]


def test_slow_reader_that_vanishes_after_its_goodbye_leaves_nothing(serve: Serve) -> None:
    relay = serve(rooms())
    ada = relay.join()
    stalled, _ = stall(relay, ada)
    stalled.say_goodbye()
    relay.until(lambda: relay.server.counters.frames_received["rfc6455"][CLOSE] == 1)

    # It is not read any more: only writing to it can tell.
    stalled.wire.reset()

    ended(relay, "gone")


def test_member_that_is_found_dead_in_the_middle_of_a_burst_leaves_the_others_theirs(serve: Serve) -> None:
    relay = serve(rooms())
    members = [relay.join() for _ in range(5)]

    # It vanishes in the turn in which the room writes to it, before anybody could have noticed.
    def vanish_and_publish() -> None:
        members[2].wire.reset()
        relay.server.hub.deliver(Message(LOBBY, 1, Kind.TEXT, b"hello", None, 0.0))

    relay.call(vanish_and_publish)

    assert [member.hear() for member in members if member is not members[2]] == ["hello"] * 4
    ended(relay, "gone")
    template = relay.template()
    assert (template.members, template.delivered) == (4, 4)
    assert template.dropped == {"gone": 1}


# --- fast publishers


def test_publisher_is_not_read_while_its_room_owes_too_much_and_goes_on_afterwards(serve: Serve) -> None:
    pending_max_bytes = 65_536
    relay = serve(rooms(pending_max_bytes=pending_max_bytes, gather_max_s=0))
    publishers = [relay.join() for _ in range(4)]
    reader = relay.join()
    pending: list[int] = [0]

    def owes_and_pauses() -> bool:
        for room in relay.server.hub.rooms.values():
            pending.append(max(room.pending_bytes, pending.pop()))
        return relay.server.hub.templates["rooms"].publishers_paused > 0

    heard: list[int] = []
    with relay.noticing(owes_and_pauses):
        send_all(publishers, [numbered(number).encode() for number in range(50)], reader, heard)

    assert sorted(heard) == sorted([*range(50)] * 4)
    relay.until(lambda: relay.server.hub.templates["rooms"].publishers_paused == 0)
    # Each of the four may bring one more reading, 64 KiB, before it is noticed.
    assert pending[0] < pending_max_bytes + 4 * 2 * 65_536


def fill(relay: Relay) -> Callable[[], None]:
    """Make the lobby owe too much, as a flood would; return what ends that, with one more message."""
    room = relay.server.hub.rooms[LOBBY]

    def owe() -> None:
        room.pending_bytes += 1 << 30

    def owe_no_more() -> None:
        room.pending_bytes -= 1 << 30
        relay.server.hub._broker.publish(LOBBY, Kind.TEXT, b"flushed", None)

    relay.call(owe)
    return lambda: relay.call(owe_no_more)


def test_room_that_owes_too_much_reads_nobody_not_even_who_comes_and_speaks_at_once(serve: Serve) -> None:
    relay = serve(rooms())
    ada, bob = relay.join(), relay.join()
    empty = fill(relay)

    ada.say("held back")
    hasty = relay.connect()
    hasty.send(rfc6455_head(LOBBY) + frame(TEXT, b"early"))
    relay.until(lambda: relay.server.hub.templates["rooms"].publishers_paused == 2)
    # Resumed too early, both are held back again, and what came with the handshake is not lost.
    relay.call(relay.server.hub.rooms[LOBBY]._paused.resume_all)
    relay.until(lambda: relay.server.hub.templates["rooms"].publishers_paused == 2)
    assert relay.template().received_text == 0
    empty()

    assert bob.hear() == "flushed"
    assert sorted([bob.hear(), bob.hear()]) == ["early", "held back"]
    assert relay.template().publishers_paused == 0
    for member in (ada, bob, hasty):
        member.close()


@pytest.mark.parametrize("end", ["reset", "end of stream"])
def test_who_is_reset_while_it_is_not_read_gives_its_place_back_and_who_just_ended_is_still_read(
    serve: Serve, end: str
) -> None:
    relay = serve(rooms())
    ada, bob = relay.join(), relay.join()
    empty = fill(relay)
    ada.say("last words")
    relay.until(lambda: relay.server.hub.templates["rooms"].publishers_paused == 1)

    if end == "reset":
        ada.wire.reset()
        relay.until(lambda: relay.server.hub.templates["rooms"].members == 1)
        empty()
        assert bob.hear() == "flushed"
    else:
        ada.wire.socket.shutdown(socket.SHUT_WR)
        empty()
        assert [bob.hear(), bob.hear()] == ["flushed", "last words"]
        ada.close()
    ended(relay, "gone")
    bob.close()


def test_all_pings_that_come_at_once_are_answered_in_their_order(serve: Serve) -> None:
    relay = serve(rooms())
    ada, bob = relay.join(), relay.join()

    ada.wire.send(b"".join(frame(PING, b"%d" % number) for number in range(50)) + frame(TEXT, b"and a message"))

    assert [ada.read_frame() for _ in range(50)] == [(PONG, b"%d" % number) for number in range(50)]
    assert bob.hear() == "and a message"
    for member in (ada, bob):
        member.close()


def send_all(publishers: list[Rfc6455Client], texts: list[bytes], reader: Rfc6455Client, heard: list[int]) -> None:
    """Let all publish as fast as they are read, while one reads."""
    queues = {publisher: b"".join(frame(TEXT, text) for text in texts) for publisher in publishers}
    with selectors.DefaultSelector() as selector:
        for publisher in publishers:
            publisher.wire.socket.setblocking(False)
            selector.register(publisher.wire.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, publisher)
        while len(heard) < len(texts) * len(publishers):
            for key, events in selector.select(timeout=0):
                # What TLS cannot do at once, it does with the same bytes the next time.
                if events & selectors.EVENT_WRITE and (queue := queues[key.data]):
                    with suppress(ssl.SSLWantWriteError):
                        queues[key.data] = queue[key.data.wire.socket.send(queue[:262_144]) :]
                if events & selectors.EVENT_READ:
                    with suppress(ssl.SSLWantReadError):
                        key.data.wire.socket.recv(1_048_576)
            heard.append(number_of(reader.hear()))
    for publisher in publishers:
        publisher.wire.socket.setblocking(True)
