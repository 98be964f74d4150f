"""Members of rooms, seen from outside: what each hears, in which order, and how it is told the end."""

from __future__ import annotations

import selectors
from pathlib import Path

import pytest

from roomcast.relay.message import Kind, Message
from roomcast.relay.reasons import Reason
from tests.running import Relay, Serve
from tests.transport.rooms import BOTH_DIALECTS, LOBBY, SMALL_BUFFER, Join, number_of, numbered, rooms, stall
from tests.wire import (
    BINARY,
    CLOSE,
    CLOSING,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Client,
    Rfc6455Client,
    frame,
    rfc6455_head,
)


def ended(relay: Relay, reason: str, dialect: str = "rfc6455") -> None:
    """Wait until a member has ended for this reason, and check that the metrics and the log say so."""
    relay.until(lambda: relay.server.counters.disconnects[dialect, reason] == 1)
    assert relay.diary.wait_for("left", reason=reason, dialect=dialect)["room"] == LOBBY


# --- messages


@pytest.mark.parametrize("join", BOTH_DIALECTS)
def test_sender_does_not_hear_itself(serve: Serve, join: Join) -> None:
    relay = serve()
    ada, bob = join(relay), relay.join()

    ada.say("mine")
    assert bob.hear() == "mine"
    bob.say("yours")

    assert ada.hear() == "yours"


@pytest.mark.parametrize("join", BOTH_DIALECTS)
def test_sender_hears_itself_where_the_room_echoes(serve: Serve, join: Join) -> None:
    relay = serve(rooms(echo=True))
    ada, bob = join(relay), relay.join()

    ada.say("mine")
    bob_heard = bob.hear()
    bob.say("yours")

    assert [bob_heard, bob.hear()] == ["mine", "yours"]
    assert [ada.hear(), ada.hear()] == ["mine", "yours"]


def test_rooms_do_not_hear_each_other(serve: Serve) -> None:
    relay = serve()
    ada, bob, eve = relay.join("/rooms/a"), relay.join("/rooms/%61"), relay.join("/rooms/A")

    eve.say("for A")
    ada.say("for a")

    # One name in two spellings is one room; another case is another room.
    assert bob.hear() == "for a"
    assert sorted(relay.call(lambda: list(relay.server.hub.rooms))) == ["/rooms/A", "/rooms/a"]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_binary_message_arrives_as_it_was_sent(serve: Serve, size: int) -> None:
    relay = serve(rooms())
    ada, bob = relay.join(), relay.join()
    payload = bytes(number % 256 for number in range(size))

    ada.wire.send(frame(BINARY, payload))

    assert bob.read_frame() == (BINARY, payload)


def test_binary_message_does_not_reach_hixie76_and_that_is_counted(serve: Serve) -> None:
    relay = serve()
    ada, bob, old = relay.join(), relay.join(), relay.join_hixie76()

    ada.wire.send(frame(BINARY, b"\xff\x00") + frame(TEXT, b"text"))

    assert bob.read_frame() == (BINARY, b"\xff\x00")
    assert old.hear() == "text"
    template = relay.template()
    assert template.dropped == {"unsupported": 1}
    assert (template.received_text, template.received_binary, template.delivered) == (1, 1, 3)
    assert relay.metric('roomcast_messages_dropped_total{reason="unsupported",template="rooms"}') == 1


def test_fragments_are_one_message_and_control_frames_may_stand_between_them(serve: Serve) -> None:
    relay = serve()
    ada, bob = relay.join(), relay.join()

    ada.wire.send(frame(TEXT, "é".encode()[:1], is_final=False) + frame(PING, b"are you there?"))
    assert ada.read_frame() == (PONG, b"are you there?")
    ada.wire.send(frame(CONTINUATION, "é".encode()[1:], is_final=False) + frame(PONG) + frame(CONTINUATION, b"t"))
    ada.say("more")

    assert [bob.hear(), bob.hear()] == ["ét", "more"]


@pytest.mark.parametrize("payload", [b"", b"x" * 125])
def test_ping_is_answered_with_its_own_payload(serve: Serve, payload: bytes) -> None:
    ada = serve().join()

    ada.wire.send(frame(PING, payload))

    assert ada.read_frame() == (PONG, payload)


def test_hixie76_text_that_is_not_utf8_is_repaired_before_it_enters_the_room(serve: Serve) -> None:
    relay = serve()
    new, old = relay.join(), relay.join_hixie76()

    # Frames of other types, with an end or with a length, are read and thrown away.
    old.wire.send(b"\x01secret\xff" + b"\x80\x03abc" + b"\x00a\xc3(b\xff")

    assert new.hear() == "a\ufffd(b"


def test_metrics_say_what_was_on_the_wire(serve: Serve) -> None:
    relay = serve(rooms(greeting="welcome"))
    ada, bob, old = relay.join(), relay.join(), relay.join_hixie76()
    sent = frame(TEXT, b"hello") + frame(PING, b"ping")
    received_bytes, sent_bytes = (relay.metric(f"roomcast_{name}_bytes_total") for name in ("received", "sent"))

    ada.wire.send(sent)
    assert ada.hear() == "welcome"
    assert ada.read_frame() == (PONG, b"ping")
    assert [bob.hear(), bob.hear()] == ["welcome", "hello"]
    assert [old.hear(), old.hear()] == ["welcome", "hello"]

    metric = relay.metric
    answered = b"\x8a\x04ping" + b"\x81\x05hello" + b"\x00hello\xff"
    assert metric("roomcast_received_bytes_total") - received_bytes == len(sent)
    assert metric("roomcast_sent_bytes_total") - sent_bytes == len(answered)
    assert metric('roomcast_frames_received_total{dialect="rfc6455",opcode="text"}') == 1
    assert metric('roomcast_frames_received_total{dialect="rfc6455",opcode="ping"}') == 1
    assert metric('roomcast_frames_sent_total{dialect="rfc6455",opcode="text"}') == 3
    assert metric('roomcast_frames_sent_total{dialect="rfc6455",opcode="pong"}') == 1
    assert metric('roomcast_frames_sent_total{dialect="hixie76",opcode="text"}') == 2
    assert metric('roomcast_messages_received_total{kind="text",template="rooms"}') == 1
    assert metric('roomcast_messages_delivered_total{template="rooms"}') == 2
    assert metric('roomcast_members{template="rooms"}') == 3
    assert metric('roomcast_connections{dialect="rfc6455"}') == 2


# --- faults

BROKEN: dict[str, tuple[bytes, int, str]] = {
    "unmasked frame": (b"\x81\x02hi", 1002, "protocol"),
    "reserved bit": (b"\xc1\x80\0\0\0\0", 1002, "protocol"),
    "unknown opcode": (b"\x83\x80\0\0\0\0", 1002, "protocol"),
    "fragmented ping": (frame(PING, is_final=False), 1002, "protocol"),
    "long ping": (frame(PING, b"x" * 126), 1002, "protocol"),
    "length that is not the shortest": (b"\x81\xfe\x00\x01\0\0\0\0x", 1002, "protocol"),
    "continuation of nothing": (frame(CONTINUATION, b"x"), 1002, "protocol"),
    "text inside a message": (frame(TEXT, b"a", is_final=False) + frame(TEXT, b"b"), 1002, "protocol"),
    "close code that is never sent": (frame(CLOSE, b"\x03\xed"), 1002, "protocol"),
    "close frame of one byte": (frame(CLOSE, b"\x03"), 1002, "protocol"),
    "close reason that is not UTF-8": (frame(CLOSE, b"\x03\xe8\xff"), 1007, "not_utf8"),
    "text that is not UTF-8": (frame(TEXT, b"\xff"), 1007, "not_utf8"),
    "text that is not UTF-8, before its end": (b"\x81\xe4\0\0\0\0a\xff", 1007, "not_utf8"),
    "message too long, its length only": (b"\x82\xfe\x04\x01\0\0\0\0", 1009, "too_big"),
    "fragments too long": (frame(TEXT, b"a" * 1000, is_final=False) + frame(CONTINUATION, b"b" * 25), 1009, "too_big"),
    "too many fragments": (
        frame(TEXT, b"a", is_final=False) + frame(CONTINUATION, b"b", is_final=False) * 3,
        1009,
        "too_big",
    ),
}


@pytest.mark.parametrize(("sent", "code", "reason"), BROKEN.values(), ids=BROKEN.keys())
def test_broken_frame_ends_the_member_behind_what_it_said_before(
    serve: Serve, sent: bytes, code: int, reason: str
) -> None:
    relay = serve(rooms(echo=True, message_max_bytes=1024) + "[limits]\nfragments_max = 3")
    ada, bob = relay.join(), relay.join()

    good = frame(TEXT, b"one") + frame(BINARY, b"two") + frame(TEXT, b"three")
    ada.wire.send(good + sent + frame(TEXT, b"too late"))

    for member in (ada, bob):
        assert [member.read_frame() for _ in range(3)] == [(TEXT, b"one"), (BINARY, b"two"), (TEXT, b"three")]
    assert ada.read_goodbye() == (code, reason)
    assert ada.wire.read_to_end() == b""
    ada.close()
    ended(relay, reason)
    # The others have not noticed.
    bob.say("still here")
    assert bob.hear() == "still here"


@pytest.mark.parametrize(
    "sent", [b"\x00" + b"x" * 1025, b"\x01" + b"x" * 1025, b"\x80\x88\x01", b"\x80\xff\xff\xff\x7f"]
)
def test_hixie76_frame_that_is_too_long_ends_the_member_behind_what_it_said_before(serve: Serve, sent: bytes) -> None:
    relay = serve(rooms(echo=True, message_max_bytes=1024))
    old = relay.join_hixie76()

    old.wire.send(b"\x00one\xff\x00two\xff\x00three\xff" + sent)

    assert [old.hear(), old.hear(), old.hear()] == ["one", "two", "three"]
    old.read_goodbye()
    assert old.wire.read_to_end() == b""
    old.close()
    ended(relay, "too_big", "hixie76")


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
    assert relay.template().dropped == {"rate": 1}


def test_more_bytes_than_the_rate_allows_end_the_member(serve: Serve) -> None:
    relay = serve(rooms(bytes_per_s=100, message_max_bytes=200))
    ada, bob, old = relay.join(), relay.join(), relay.join_hixie76()

    ada.wire.send(frame(TEXT, b"a" * 200) + frame(TEXT, b"a" * 200))
    assert bob.hear() == "a" * 200
    assert ada.read_goodbye() == (1008, "rate limit=bytes_per_s")

    old.wire.send((b"\x00" + b"b" * 200 + b"\xff") * 2)
    assert old.hear() == "a" * 200
    old.read_goodbye()


# --- the closing handshake


@pytest.mark.parametrize("code", [1000, 1001, 1011, 3000, 4999])
def test_goodbye_of_a_peer_is_answered_with_its_own_code(serve: Serve, code: int) -> None:
    relay = serve()
    ada = relay.join()

    ada.say_goodbye(code, "für immer".encode())

    assert ada.read_goodbye() == (code, "peer")
    # "The server MUST close the underlying TCP connection immediately" (RFC 6455, 7.1.1): it ends first.
    assert ada.wire.read_to_end() == b""
    ada.close()
    ended(relay, "peer")


def test_goodbye_without_a_code_is_answered_without_one(serve: Serve) -> None:
    ada = serve().join()

    ada.say_goodbye(None)

    assert ada.read_goodbye() == (None, "")
    assert ada.wire.read_to_end() == b""


def test_goodbye_in_the_middle_of_a_message_is_answered_with_its_own_code(serve: Serve) -> None:
    ada = serve().join()

    ada.wire.send(frame(TEXT, b"unfinis", is_final=False))
    ada.say_goodbye(1001)

    assert ada.read_goodbye() == (1001, "peer")


@pytest.mark.parametrize("join", BOTH_DIALECTS)
def test_goodbye_comes_behind_all_that_was_said_before_it(serve: Serve, join: Join) -> None:
    relay = serve(rooms(echo=True))
    ada = join(relay)

    hello, bye = (frame(TEXT, b"hello"), frame(CLOSE)) if isinstance(ada, Rfc6455Client) else (b"\0hello\xff", CLOSING)
    ada.wire.send(hello + bye + hello)

    assert ada.hear() == "hello"
    ada.read_goodbye()
    assert ada.wire.read_to_end() == b""


def test_goodbye_of_hixie76_is_answered_and_then_the_connection_ends(serve: Serve) -> None:
    relay = serve()
    old = relay.join_hixie76()

    old.say_goodbye()

    old.read_goodbye()
    assert old.wire.read_to_end() == b""
    old.close()
    ended(relay, "peer", "hixie76")


@pytest.mark.parametrize("join", BOTH_DIALECTS)
def test_peer_that_never_answers_a_goodbye_is_not_waited_for(serve: Serve, join: Join) -> None:
    relay = serve(rooms(messages_per_s=1) + "[limits]\nclose_timeout_s = 0.1")
    ada = join(relay)

    for _ in range(3):
        ada.say("hello")
    goodbye = ada.read_goodbye()

    assert goodbye in [(1008, "rate limit=messages_per_s"), (None, "")]
    assert ada.wire.read_to_end() == b""
    relay.until(relay.is_empty)


def test_peer_that_never_ends_its_side_is_not_waited_for(serve: Serve) -> None:
    relay = serve()
    ada = relay.join()

    ada.say_goodbye()
    ada.read_goodbye()
    assert ada.wire.read_to_end() == b""

    # It could have sent on; nobody would have read it.
    ended(relay, "peer")


@pytest.mark.parametrize("join", BOTH_DIALECTS)
@pytest.mark.parametrize("how", ["close", "reset", "shut"])
def test_member_whose_connection_ends_without_a_goodbye_is_gone(serve: Serve, join: Join, how: str) -> None:
    relay = serve()
    ada, bob = join(relay), relay.join()

    {"close": ada.close, "reset": ada.wire.reset, "shut": ada.wire.shut}[how]()

    ended(relay, "gone", "rfc6455" if isinstance(ada, Rfc6455Client) else "hixie76")
    assert relay.template().members == 1
    bob.say("nobody hears this")
    bob.wire.send(frame(PING))
    assert bob.read_frame() == (PONG, b"")


def test_room_is_forgotten_with_its_last_member(serve: Serve) -> None:
    relay = serve()
    ada, bob = relay.join(), relay.join_hixie76()
    assert relay.template().rooms == 1

    ada.close()
    relay.until(lambda: relay.server.hub.templates["rooms"].members == 1)
    assert relay.template().rooms == 1
    bob.close()

    relay.until(lambda: not relay.server.hub.rooms)
    assert relay.template().rooms == 0


def test_join_and_leave_are_one_line_each(serve: Serve) -> None:
    relay = serve()

    relay.join(LOBBY + "?token=1").close()

    assert relay.diary.wait_for("left")["lasted_s"] >= 0
    joined, left = relay.diary.read()
    ours = {"level": "info", "room": LOBBY, "dialect": "rfc6455", "address": "127.0.0.1"}
    assert joined == joined | ours | {"event": "joined", "members": 1}
    assert left == left | ours | {"event": "left", "reason": "gone"}


# --- slow readers


def read_until_number(client: Client, last: int) -> list[int]:
    """Read large messages up to this one, and return their numbers."""
    numbers = [-1]
    while numbers[-1] != last:
        numbers.append(number_of(client.hear()))
    return numbers[1:]


def publish_and_hear(publisher: Client, reader: Client, numbers: range) -> None:
    """Publish one large message after the other, each when the last has arrived."""
    for number in numbers:
        publisher.say(numbered(number))
        read_until_number(reader, number)


@pytest.mark.parametrize("join", BOTH_DIALECTS)
def test_reader_that_stalls_delays_nobody_and_catches_up(serve: Serve, join: Join) -> None:
    relay = serve(rooms())
    ada, bob = relay.join(), join(relay)
    stalled, sent = stall(relay, ada)

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
    ada, bob = relay.join(), relay.join()
    stalled, sent = stall(relay, ada)

    publish_and_hear(ada, bob, range(sent, sent + 50))
    relay.until(lambda: relay.server.hub.templates["rooms"].dropped.get(Reason.LAGGING, 0) > 0)

    heard = 0
    while (got := stalled.read_frame()).opcode == TEXT:
        assert number_of(got.payload.decode()) == heard
        heard += 1
    assert got == (CLOSE, (1013).to_bytes(2, "big") + b"lagging")
    stalled.say_goodbye(1013)
    stalled.close()
    ended(relay, "lagging")
    # Each message is counted once: the one that was half written when it was given up, either way.
    template = relay.template()
    assert template.delivered + template.dropped[Reason.LAGGING] == 2 * (sent + 50)
    assert heard < sent + 50


def test_reader_that_falls_too_far_behind_skips_to_the_newest_where_the_room_says_so(serve: Serve) -> None:
    relay = serve(rooms(lag_max_bytes=131_072, overflow="skip"))
    ada, bob = relay.join(), relay.join()
    stalled, sent = stall(relay, ada)

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
    assert relay.call(lambda: relay.server.hub.lag_bytes()) == 0


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
        relay.server.hub.deliver(Message(LOBBY, 1, Kind.TEXT, b"hello", None))

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


def send_all(publishers: list[Rfc6455Client], texts: list[bytes], reader: Rfc6455Client, heard: list[int]) -> None:
    """Let all publish as fast as they are read, while one reads."""
    queues = {publisher: b"".join(frame(TEXT, text) for text in texts) for publisher in publishers}
    with selectors.DefaultSelector() as selector:
        for publisher in publishers:
            publisher.wire.socket.setblocking(False)
            selector.register(publisher.wire.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, publisher)
        while len(heard) < len(texts) * len(publishers):
            for key, events in selector.select(timeout=0):
                if events & selectors.EVENT_WRITE and (queue := queues[key.data]):
                    queues[key.data] = queue[key.data.wire.socket.send(queue[:262_144]) :]
                if events & selectors.EVENT_READ:
                    key.data.wire.socket.recv(1_048_576)
            heard.append(number_of(reader.hear()))
    for publisher in publishers:
        publisher.wire.socket.setblocking(True)


# --- many


def test_thousand_members_hear_the_same_in_the_same_order(serve: Serve, many_files: None) -> None:
    relay = serve(rooms(echo=True))
    members: list[Client] = [relay.join_hixie76() if number % 2 else relay.join() for number in range(1000)]
    senders = members[::100]

    for number in range(10):
        for name, sender in enumerate(senders):
            sender.say(f"{name} {number}")

    heard = [[member.hear() for _ in range(100)] for member in members]
    assert all(texts == heard[0] for texts in heard)
    for name in range(10):
        assert [text for text in heard[0] if text.startswith(f"{name} ")] == [
            f"{name} {number}" for number in range(10)
        ]
    assert relay.template().delivered == 100_000
    relay.diary.wait_for("joined", members=1000)


def test_members_that_come_and_go_in_the_middle_of_all_this_leave_nothing(serve: Serve, many_files: None) -> None:
    relay = serve(rooms())
    ada, bob = relay.join(), relay.join()

    for number in range(50):
        crashing, leaving, staying = relay.join(), relay.join_hixie76(), relay.join()
        ada.say(f"{number}")
        crashing.wire.reset()
        leaving.say_goodbye()
        assert bob.hear() == f"{number}"
        assert staying.hear() == f"{number}"
        staying.close()

    relay.until(lambda: relay.server.hub.templates["rooms"].members == 2)
