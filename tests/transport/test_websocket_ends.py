"""How members of rooms end: faults, limits, goodbyes of either side, and none at all."""

from __future__ import annotations

import pytest

from tests.running import OVER_TLS_TOO, Serve
from tests.transport.rooms import BOTH_DIALECTS, Join, ended, rooms
from tests.wire import BINARY, CLOSE, CLOSING, CONTINUATION, PING, TEXT, Rfc6455Client, frame

pytestmark = OVER_TLS_TOO

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


@pytest.mark.parametrize(("code", "echo"), [(1010, 1000), (1014, 1000), (1001, 1001), (3000, 3000), (4999, 4999)])
def test_code_that_only_others_may_send_is_not_echoed(serve: Serve, code: int, echo: int) -> None:
    relay = serve(rooms())
    ada = relay.join()

    ada.say_goodbye(code)

    assert ada.read_goodbye() == (echo, "peer")
    assert ada.wire.read_to_end() == b""
    ada.close()
