"""The limits before anybody is a member: each on both sides of it; the slow, and those who leave."""

from __future__ import annotations

import pytest

from tests.running import Relay, Serve, open_descriptors
from tests.transport.answers import check_answer
from tests.transport.rooms import LOBBY
from tests.wire import KEY3, Answer, get, hixie76_head, rfc6455_head


def check_full(relay: Relay, answer: Answer, limit: str) -> None:
    check_answer(answer, 503, f"{limit} is reached")
    assert answer.headers["retry-after"] == "5"
    assert relay.diary.wait_for("refused", status=503)["outcome"] == "full"


@pytest.mark.parametrize("dialect", [rfc6455_head(LOBBY), hixie76_head(LOBBY) + KEY3, get(LOBBY)])
def test_member_beyond_members_max_is_told_to_come_later(serve: Serve, dialect: bytes) -> None:
    relay = serve('[[rooms]]\nname = "rooms"\npath = "/rooms/{room}"\nmembers_max = 2')
    ada, bob = relay.join(), relay.join_hixie76()

    check_full(relay, relay.ask(dialect), "members_max")

    # The others are as they were, another room has its own limit, and a place that is given back is free.
    bob.say("hello")
    assert ada.hear() == "hello"
    relay.join("/rooms/other")
    bob.close()
    relay.until(lambda: relay.server.hub.rooms[LOBBY].member_count == 1)
    assert relay.join()


def test_room_beyond_rooms_max_is_told_to_come_later(serve: Serve) -> None:
    relay = serve("[limits]\nrooms_max = 1")
    ada = relay.join("/rooms/a")

    check_full(relay, relay.ask(rfc6455_head("/rooms/b")), "rooms_max")

    assert relay.join("/rooms/a")
    ada.close()
    check_full(relay, relay.ask(rfc6455_head("/rooms/b")), "rooms_max")


def test_connection_beyond_connections_max_is_told_to_come_later(serve: Serve) -> None:
    relay = serve("[limits]\nconnections_max = 2")
    ada, bob = relay.join(), relay.join()

    check_full(relay, relay.ask(), "connections_max")
    check_full(relay, relay.ask(rfc6455_head(LOBBY)), "connections_max")

    assert relay.metric("roomcast_connections_limit") == 2
    bob.close()
    relay.until(lambda: relay.server.counters.connections["rfc6455"] == 1)
    cai = relay.join()
    cai.say("hello")
    assert ada.hear() == "hello"


def test_crowd_beyond_connections_max_is_closed_when_too_many_wait_for_their_answer(serve: Serve) -> None:
    relay = serve("[limits]\nconnections_max = 1")
    relay.join()
    descriptors = open_descriptors()

    # Each is answered at once, and then listened to for a moment; none of these ends it.
    crowd = [relay.connect() for _ in range(64)]
    last = relay.connect()

    assert last.read_to_end() == b""
    assert relay.counters.handshakes["none", "full"] == 65
    assert relay.counters.limit_hits["connections_max", "refused"] == 65
    assert all(wire.read_answer().status == 503 for wire in crowd)
    for wire in [*crowd, last]:
        wire.close()
    # All of them were given back before anybody had to wait for a timeout.
    relay.until(lambda: open_descriptors() == descriptors)


def test_handshake_beyond_handshakes_max_is_told_to_come_later(serve: Serve) -> None:
    relay = serve("[limits]\nhandshakes_max = 1")
    slow = relay.connect()

    slow.send(b"GET /")
    check_full(relay, relay.ask(), "handshakes_max")

    slow.close()
    relay.until(lambda: relay.server.counters.handshakes["none", "gone"] == 1)
    # Members are none.
    assert relay.join()
    assert relay.join()


# --- slow, gone


def test_head_that_takes_too_long_is_408(serve: Serve) -> None:
    relay = serve("[limits]\nhandshake_timeout_s = 0.2")
    slow, silent = relay.connect(), relay.connect()
    slow.send(b"GET / HTTP/1.1\r\nHost:")

    for wire in (slow, silent):
        check_answer(wire.read_answer(), 408, "the handshake took longer than handshake_timeout_s = 0.2")

    assert relay.counters.handshakes["none", "timeout"] == 2
    relay.diary.wait_for("refused", status=408, outcome="timeout")


def test_eight_bytes_that_never_come_end_in_silence_behind_the_101(serve: Serve) -> None:
    relay = serve("[limits]\nhandshake_timeout_s = 0.2")
    wire = relay.connect()

    wire.send(hixie76_head(LOBBY) + KEY3[:7])

    assert wire.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
    assert wire.read_to_end() == b""
    assert relay.counters.handshakes["hixie76", "timeout"] == 1


LEAVERS: dict[str, tuple[bytes, str]] = {
    "at once": (b"", "none"),
    "in its head": (b"GET / HTTP", "none"),
    "before the eight bytes": (hixie76_head(LOBBY) + KEY3[:7], "hixie76"),
}


@pytest.mark.parametrize("is_reset", [False, True])
@pytest.mark.parametrize(("sent", "dialect"), LEAVERS.values(), ids=LEAVERS.keys())
def test_client_that_leaves_is_counted_and_not_logged(serve: Serve, sent: bytes, dialect: str, is_reset: bool) -> None:
    relay = serve()
    wire = relay.connect()

    wire.send(sent)
    wire.reset() if is_reset else wire.close()

    relay.until(lambda: relay.server.counters.handshakes[dialect, "gone"] == 1)
    assert relay.diary.read() == []


def test_answer_arrives_though_the_client_goes_on_sending(serve: Serve) -> None:
    relay = serve()
    wire = relay.connect()

    # Closing with these unread would reset the connection, and the answer would be lost on the way.
    wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + bytes(200_000))

    assert wire.read_answer().status == 405
