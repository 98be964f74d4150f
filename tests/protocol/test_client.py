"""The client's side of RFC 6455, by the examples of the book."""

from __future__ import annotations

import base64

import pytest

from roomcast.protocol import client
from roomcast.protocol.frames import Opcode
from tests.wire import MASK, RFC6455_ACCEPT, RFC6455_KEY, TEXT, frame, rfc6455_head

KEY = base64.b64decode(RFC6455_KEY)
ACCEPTED = f"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: {RFC6455_ACCEPT}\r\n\r\n".encode()


def test_request_is_the_book_s_with_what_is_sent_beside_it() -> None:
    assert client.request("/rooms/a", "relay.example", KEY, [("X-Two", "2")]) == rfc6455_head("/rooms/a", "X-Two: 2")


def test_answer_proves_that_the_key_was_read() -> None:
    assert client.is_accepted(ACCEPTED, KEY)
    assert client.is_accepted(ACCEPTED.replace(b"Sec-WebSocket-Accept: ", b"SEC-WEBSOCKET-ACCEPT:"), KEY)


def test_answer_to_another_key_or_to_none_proves_nothing() -> None:
    assert not client.is_accepted(ACCEPTED, bytes(16))
    assert not client.is_accepted(b"HTTP/1.1 101 Switching Protocols\r\n\r\n", KEY)


@pytest.mark.parametrize(
    ("received", "length"),
    [(b"", None), (ACCEPTED[:-1], None), (ACCEPTED, len(ACCEPTED)), (ACCEPTED + b"x", len(ACCEPTED))],
)
def test_head_is_as_long_as_its_end_says_however_much_has_come(received: bytes, length: int | None) -> None:
    assert client.head_length(received) == length


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"HTTP/1.1 101 Switching Protocols\r\n", 101),
        (b"HTTP/1.1 503\r\n", 503),
        (b"HTTP/1.0 101 Switching Protocols\r\n", None),
        (b"HTTP/1.1 1o1 Switching Protocols\r\n", None),
        (b"HTTP/1.1 1010 Switching Protocols\r\n", None),
        (b"HTTP/1.1\r\n", None),
        (b"", None),
    ],
)
def test_status_is_that_of_an_answer_of_http(head: bytes, status: int | None) -> None:
    assert client.status_of(head) == status


@pytest.mark.parametrize("payload", [b"", b"Hello", bytes(125)])
def test_frame_is_masked_as_a_client_s_must_be(payload: bytes) -> None:
    assert client.encode(Opcode.TEXT, payload, MASK) == frame(TEXT, payload)


def test_frame_one_byte_too_long_is_not_made() -> None:
    with pytest.raises(ValueError, match="a frame of 126 bytes: here one has 125 at most"):
        client.encode(Opcode.TEXT, bytes(126), MASK)


@pytest.mark.parametrize("received", [b"", b"\x81", b"\x81\x05", b"\x81\x05Hell"])
def test_text_of_which_not_all_has_come_is_waited_for(received: bytes) -> None:
    assert client.read_text(received) is None


def test_text_is_read_and_what_follows_it_is_left() -> None:
    assert client.read_text(b"\x81\x05Hello\x88\x00") == (b"Hello", 7)
    assert client.read_text(b"\x81\x00") == (b"", 2)


@pytest.mark.parametrize(
    "received", [b"\x82\x05Hello", b"\x01\x05Hello", b"\x88\x02\x03\xe8", b"\x81\x85", b"\x81\x7e"]
)
def test_what_is_no_short_unmasked_text_is_refused(received: bytes) -> None:
    with pytest.raises(ValueError, match=r"a frame starts with 0x\w\w 0x\w\w, which is no short text"):
        client.read_text(received)
