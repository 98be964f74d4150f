"""Handshakes that make members: the 101 of either dialect, however it comes, and who hears whom then."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.running import Relay, Serve
from tests.transport.rooms import LOBBY
from tests.wire import (
    CLOSE,
    KEY3,
    TEXT,
    TOKEN,
    Client,
    Hixie76Client,
    Rfc6455Client,
    frame,
    hixie76_head,
    rfc6455_head,
)


def test_rfc6455_is_accepted_as_the_rfc_shows(serve: Serve) -> None:
    relay = serve()

    with relay.connect() as wire:
        wire.send(rfc6455_head(LOBBY + "?token=1", "Sec-WebSocket-Protocol: chat, superchat"))
        head = wire.read_until(b"\r\n\r\n").decode().split("\r\n")

    assert head[0] == "HTTP/1.1 101 Switching Protocols"
    assert {"Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Protocol: chat"} <= set(head)
    counters = relay.counters
    assert counters.handshakes["rfc6455", "accepted"] == 1
    assert sum(counters.handshake_duration.counts) == 1


def test_hixie76_is_accepted_in_one_write_when_its_eight_bytes_are_there(serve: Serve) -> None:
    relay = serve()

    with relay.connect() as wire:
        wire.send(hixie76_head(LOBBY + "?a=b", "Sec-WebSocket-Protocol: chat") + KEY3)
        head = wire.read_until(b"\r\n\r\n").decode().split("\r\n")
        assert wire.read(16) == TOKEN

    assert head[0].startswith("HTTP/1.1 101 ")
    assert {
        "Upgrade: WebSocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Origin: http://relay.example",
        "Sec-WebSocket-Location: ws://relay.example/rooms/lobby?a=b",
        "Sec-WebSocket-Protocol: chat",
    } <= set(head)
    assert relay.counters.handshakes["hixie76", "accepted"] == 1


def test_eight_bytes_that_come_late_get_the_head_first_and_the_token_when_they_come(serve: Serve) -> None:
    relay = serve()
    wire = relay.connect()

    wire.send(hixie76_head(LOBBY))
    assert wire.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
    # Not a member yet: it has not shown its eight bytes.
    assert relay.template().members == 0
    wire.send(KEY3[:3])
    wire.send(KEY3[3:] + b"\x00glued\xff")

    assert wire.read(16) == TOKEN
    assert relay.call(lambda: relay.server.hub.rooms[LOBBY].member_count) == 1


def test_eight_bytes_may_be_announced_by_content_length(serve: Serve) -> None:
    relay = serve()
    wire = relay.connect()

    wire.send(hixie76_head(LOBBY, "Content-Length: 8") + KEY3)

    assert wire.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
    assert wire.read(16) == TOKEN


def test_frames_that_are_glued_to_the_handshake_are_read(serve: Serve) -> None:
    relay = serve()
    ada = relay.join()
    bob, old = relay.connect(), relay.connect()

    bob.send(rfc6455_head(LOBBY) + frame(TEXT, b"first"))
    assert ada.hear() == "first"
    old.send(hixie76_head(LOBBY) + KEY3 + b"\x00second\xff\x00thi")
    assert ada.hear() == "second"
    old.send(b"rd\xff")
    assert ada.hear() == "third"


@pytest.mark.parametrize("size", [1, 7, 64])
def test_handshake_does_not_depend_on_how_it_arrives(serve: Serve, size: int) -> None:
    relay = serve()
    ada = relay.join()
    for request in (rfc6455_head(LOBBY) + frame(TEXT, b"hello"), hixie76_head(LOBBY) + KEY3 + b"\x00hello\xff"):
        wire = relay.connect()
        for start in range(0, len(request), size):
            wire.send(request[start : start + size])

        assert ada.hear() == "hello"


# --- greeting


def enter(relay: Relay, is_hixie76: bool, path: str = LOBBY) -> Client:
    return relay.join_hixie76(path) if is_hixie76 else relay.join(path)


GREETING = '[[rooms]]\nname = "rooms"\npath = "/rooms/{room}"\ngreeting = "welcome, café"'


@pytest.mark.parametrize("is_hixie76", [False, True])
def test_greeting_is_the_first_that_a_newcomer_hears(serve: Serve, is_hixie76: bool) -> None:
    relay = serve(GREETING)

    ada = enter(relay, is_hixie76)
    bob = relay.join()

    assert ada.hear() == "welcome, café"
    assert bob.hear() == "welcome, café"
    bob.say("hello")
    assert ada.hear() == "hello"


# --- both dialects at one door

JOINS: list[Callable[[Relay], Client]] = [Relay.join, Relay.join_hixie76]


@pytest.mark.parametrize("first", JOINS)
@pytest.mark.parametrize("second", JOINS)
def test_dialects_talk_to_each_other(
    serve: Serve, first: Callable[[Relay], Client], second: Callable[[Relay], Client]
) -> None:
    relay = serve()
    ada, bob = first(relay), second(relay)

    ada.say("grüß dich 🐟")
    assert bob.hear() == "grüß dich 🐟"
    bob.say("")
    assert ada.hear() == ""


def test_goodbye_of_one_dialect_says_nothing_to_the_other(serve: Serve) -> None:
    relay = serve()
    new, old = relay.join(), relay.join_hixie76()
    assert isinstance(new, Rfc6455Client)
    assert isinstance(old, Hixie76Client)

    old.say_goodbye()
    old.read_goodbye()
    new.wire.send(frame(CLOSE))

    assert new.read_goodbye() == (None, "")
