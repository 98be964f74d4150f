"""Members of rooms, seen from outside: what each hears, and in which order."""

from __future__ import annotations

import pytest

from tests.running import OVER_TLS_TOO, Serve
from tests.transport.rooms import BOTH_DIALECTS, Join, rooms
from tests.wire import (
    BINARY,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Client,
    frame,
)

pytestmark = OVER_TLS_TOO

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
    assert relay.template().members == 1000


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
