import hashlib
import json
import tracemalloc
from pathlib import Path
from typing import TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomcast.protocol.errors import HandshakeError, HandshakeFault
from roomcast.protocol.events import Close, Event, Failed, Message
from roomcast.protocol.frames import CloseCode, Opcode
from roomcast.protocol.hixie76 import CLOSING, Decoder, accept, challenge_response, check, encode, key_number
from roomcast.protocol.request import Request
from tests.protocol.clients import told

KEY1 = "4 @1  46546xW%0l 1 5"
KEY2 = "12998 5 Y3 1  .P00"


class Vector(TypedDict):
    """A handshake whose token other servers were asked for, too."""

    name: str
    source: str
    key1: str
    key2: str
    key3_hex: str
    part1: int
    part2: int
    token_hex: str


VECTORS: list[Vector] = json.loads((Path(__file__).parent / "hixie76_vectors.json").read_text(encoding="utf-8"))


def text(payload: str) -> Message:
    return Message(Opcode.TEXT, payload.encode())


def received(stream: bytes, *, message_max_bytes: int = 0, frame_counts: list[int] | None = None) -> list[Event]:
    counts = [0] * 16 if frame_counts is None else frame_counts
    return Decoder(message_max_bytes=message_max_bytes, frame_counts=counts).receive(stream)


def fault(stream: bytes, *, message_max_bytes: int = 0) -> tuple[CloseCode, str]:
    (event,) = received(stream, message_max_bytes=message_max_bytes)
    assert isinstance(event, Failed)
    return event.error.close_code, str(event.error)


# The challenge


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_the_challenge_is_answered_as_other_servers_answer_it(vector: Vector) -> None:
    key1, key2 = vector["key1"], vector["key2"]

    assert (key_number(key1), key_number(key2)) == (vector["part1"], vector["part2"])
    assert challenge_response(key1, key2, bytes.fromhex(vector["key3_hex"])).hex() == vector["token_hex"]


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("4@146546xW%0l15", "security key with 0 spaces and 10 digits: it needs both"),
        ("129985Y31.P00", "security key with 0 spaces and 10 digits: it needs both"),
        ("a b", "security key with 1 spaces and 0 digits: it needs both"),
        ("² ³", "security key with 1 spaces and 0 digits: it needs both"),
        ("1\t2", "security key with 0 spaces and 2 digits: it needs both"),
        ("4 @1  46546xW%0l 1 5 x", "security key: 4146546015 does not divide by its 6 spaces"),
        ("12998 5 Y3 1.P00", "security key: 1299853100 does not divide by its 3 spaces"),
        ("3e 6 b263  4 17 80", "security key: 3626341780 does not divide by its 6 spaces"),
        ("85899 34592x", "security key: 8589934592 / 1 spaces does not fit into 4 bytes"),
        ("42949 67296", "security key: 4294967296 / 1 spaces does not fit into 4 bytes"),
        (" " + "9" * 5000, "security key with 5000 digits: too large a number"),
    ],
)
def test_a_key_that_hides_no_number_is_refused(key: str, words: str) -> None:
    with pytest.raises(HandshakeError) as caught:
        key_number(key)

    assert (caught.value.status, str(caught.value)) == (400, words)


@pytest.mark.parametrize(("key", "number"), [("0 x", 0), ("429496 7295", 2**32 - 1), (" " + "0" * 5000 + "7", 7)])
def test_a_key_hides_any_number_of_four_bytes(key: str, number: int) -> None:
    assert key_number(key) == number


@given(number=st.integers(0, 2**32 - 1), spaces=st.integers(1, 12), noise=st.text("!xYz~", max_size=12))
def test_a_key_made_as_the_draft_says_gives_its_number_back(number: int, spaces: int, noise: str) -> None:
    digits = str(number * spaces)

    assert key_number(noise + digits[:1] + " " * spaces + noise + digits[1:]) == number


def test_the_token_hashes_both_numbers_and_the_eight_bytes() -> None:
    assert (
        challenge_response("0 1", "0 2", b"\r\n\r\n\r\n\r\n")
        == hashlib.md5(b"\0\0\0\1\0\0\0\2\r\n\r\n\r\n\r\n").digest()
    )


@pytest.mark.parametrize("size", [0, 7, 9])
def test_a_token_is_not_made_from_other_than_eight_bytes(size: int) -> None:
    with pytest.raises(ValueError, match=f"key3 is {size} bytes, not 8"):
        challenge_response(KEY1, KEY2, bytes(size))


def test_each_key_has_a_fault_of_its_own() -> None:
    with pytest.raises(HandshakeError) as first:
        challenge_response("1", "2", bytes(8))
    with pytest.raises(HandshakeError) as second:
        challenge_response(KEY1, "2", bytes(8))

    assert first.value.fault is HandshakeFault.BAD_FIRST_SECURITY_KEY
    assert second.value.fault is HandshakeFault.BAD_SECOND_SECURITY_KEY


# The handshake


def request(*without: str, protocol: str | None = None) -> Request:
    headers = {
        "host": "Relay.example:8080",
        "origin": "HTTP://App.example",
        "sec-websocket-key1": KEY1,
        "sec-websocket-key2": KEY2,
    }
    if protocol is not None:
        headers["sec-websocket-protocol"] = protocol
    kept = tuple((name, value) for name, value in headers.items() if name not in without)
    return Request("/rooms/lobby?e=mc2&x=%20y", kept)


def test_a_request_with_all_it_needs_passes() -> None:
    check(request())


@pytest.mark.parametrize("name", ["Host", "Origin", "Sec-WebSocket-Key1", "Sec-WebSocket-Key2"])
def test_a_request_that_lacks_a_header_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(HandshakeError, match=f"{name} is missing") as caught:
        check(request(name.lower()))

    assert (caught.value.status, caught.value.fault) == (400, HandshakeFault.MISSING_HEADER_KEYS)


def test_a_request_with_a_bad_key_is_refused_before_it_is_accepted() -> None:
    bad = Request("/", (*request("sec-websocket-key2").headers, ("sec-websocket-key2", "129985Y31.P00")))

    with pytest.raises(HandshakeError) as caught:
        check(bad)

    assert caught.value.fault is HandshakeFault.BAD_SECOND_SECURITY_KEY


def test_a_subprotocol_beyond_ascii_is_refused() -> None:
    with pytest.raises(HandshakeError, match="a byte beyond ASCII"):
        check(Request("/", (*request().headers, ("sec-websocket-protocol", "ch\xe4t"))))


def test_a_request_is_accepted_letter_by_letter() -> None:
    assert accept(request()) == (
        b"HTTP/1.1 101 WebSocket Protocol Handshake\r\n"
        b"Upgrade: WebSocket\r\n"
        b"Connection: Upgrade\r\n"
        b"Sec-WebSocket-Origin: HTTP://App.example\r\n"
        b"Sec-WebSocket-Location: ws://Relay.example:8080/rooms/lobby?e=mc2&x=%20y\r\n"
        b"\r\n"
    )


def test_a_secure_request_is_told_a_secure_location() -> None:
    assert b"\r\nSec-WebSocket-Location: wss://Relay.example:8080/rooms/" in accept(request(), is_secure=True)


def test_the_first_subprotocol_is_returned_if_one_was_asked_for() -> None:
    assert accept(request(protocol="Sample")).endswith(b"\r\nSec-WebSocket-Protocol: Sample\r\n\r\n")
    assert accept(request(protocol="a b")).endswith(b"\r\nSec-WebSocket-Protocol: a\r\n\r\n")


def test_a_token_that_is_asked_for_as_a_subprotocol_is_not_returned() -> None:
    answer = accept(request(protocol="bearer.a.b.c roomcast.raw"))

    assert answer.endswith(b"\r\nSec-WebSocket-Protocol: roomcast.raw\r\n\r\n")


def test_nothing_but_a_token_for_a_subprotocol_is_refused() -> None:
    with pytest.raises(HandshakeError, match="never answered") as caught:
        check(request(protocol="bearer.a.b.c"))

    assert caught.value.status == 400


@pytest.mark.parametrize("protocol", [None, "", " "])
def test_no_subprotocol_is_returned_if_none_was_asked_for(protocol: str | None) -> None:
    assert b"Sec-WebSocket-Protocol" not in accept(request(protocol=protocol))


# What the server says


def test_text_stands_between_its_two_bytes() -> None:
    assert encode(b"") == b"\x00\xff"
    assert encode("zażółć".encode()) == b"\x00za\xc5\xbc\xc3\xb3\xc5\x82\xc4\x87\xff"


def test_a_payload_that_would_end_its_own_frame_is_not_sent() -> None:
    with pytest.raises(ValueError, match="payload holds 0xFF at byte 2, where a text frame would end"):
        encode(b"ab\xff\x00injected")


# What the client says


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"\x00hello\xff", [text("hello")]),
        (b"\x00\xff", [text("")]),
        (b"\x00a\xff\x00b\xff", [text("a"), text("b")]),
        (b"\x00\xc5\xbc\xc3\xb3\xc5\x82w \xe2\x98\x83 \xf0\x9f\x92\xa9\xff", [text("żółw ☃ 💩")]),
        (b"\x00\x00\x80 in the middle\xff", [Message(Opcode.TEXT, b"\x00\xef\xbf\xbd in the middle")]),
        (b"\xff\x00", [Close(None, "")]),
        (b"\x00a\xff\xff\x00\x00b\xff", [text("a"), Close(None, "")]),
        (b"\xff\x80\x00", [Close(None, "")]),
    ],
)
def test_text_and_the_goodbye_are_read(stream: bytes, events: list[Event]) -> None:
    assert received(stream) == events


@pytest.mark.parametrize(
    "discarded",
    [
        b"\x01aa\xff",
        b"\x7f\xff",
        b"abc\xff",
        b"\x80\x03abc",
        b"\x80\x00",
        b"\xfe\x03\x00\xff\x00",
        b"\xff\x03\xff\x00\xff",
        b"\x80\x81\x00" + b"\xff" * 128,
        b"\x90\x80\x80\x80\x80\x80\x80\x80\x80\x02ab",
    ],
)
def test_frames_of_other_types_are_discarded_and_the_text_behind_them_is_read(discarded: bytes) -> None:
    assert received(discarded + b"\x00hi\xff" + discarded + CLOSING) == [text("hi"), Close(None, "")]


@pytest.mark.parametrize(
    ("sent", "stands_for"),
    [
        (b"\xc3\x28", "\ufffd("),
        (b"a\x80b", "a\ufffdb"),
        (b"\xe2\x82", "\ufffd"),
        (b"\xf0\x9f\x92", "\ufffd"),
        (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),
        (b"\xc0\x80", "\ufffd\ufffd"),
    ],
)
def test_what_is_not_utf8_becomes_the_replacement_character(sent: bytes, stands_for: str) -> None:
    assert received(b"\x00" + sent + b"\xff") == [text(stands_for)]


@given(st.binary(max_size=200).map(lambda payload: payload.replace(b"\xff", b"")))
def test_what_comes_out_is_always_utf8(payload: bytes) -> None:
    (event,) = received(b"\x00" + payload + b"\xff")

    assert event == text(payload.decode(errors="replace"))


@given(st.text(max_size=200))
def test_what_we_encode_we_read(payload: str) -> None:
    assert received(encode(payload.encode())) == [text(payload)]


def test_text_counts_as_text_and_what_is_discarded_as_binary() -> None:
    counts = [0] * 16

    received(b"\x00a\xff\x01b\xff\x80\x01c\x80\x00\x00d\xff\xff\x00", frame_counts=counts)

    assert counts == [0, 2, 3, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]


# Limits


TOO_LONG = (CloseCode.TOO_BIG, "a frame longer than message_max_bytes = 5")


@pytest.mark.parametrize(
    "at_the_limit", [b"\x00hello\xff", b"\x01hello\xff", b"\x80\x05hello", b"\x00" + b"\xc5\xbc\xc5\xbc.\xff"]
)
def test_a_frame_at_the_limit_is_read(at_the_limit: bytes) -> None:
    assert received(at_the_limit + CLOSING, message_max_bytes=5)[-1] == Close(None, "")


@pytest.mark.parametrize(
    "over_the_limit",
    [
        b"\x00hello!",
        b"\x00hello!\xff",
        b"\x01hello!",
        b"\x01hello!\xff",
        b"\x80\x06",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    ],
)
def test_a_frame_too_long_is_refused_before_its_end_arrives(over_the_limit: bytes) -> None:
    assert fault(over_the_limit, message_max_bytes=5) == TOO_LONG


def test_text_that_is_too_long_once_repaired_is_refused() -> None:
    assert received(b"\x00\x80ab\xff", message_max_bytes=5) == [text("\ufffdab")]
    assert fault(b"\x00\x80abc\xff", message_max_bytes=5) == TOO_LONG


def test_a_length_of_ten_bytes_is_refused_though_it_may_mean_little() -> None:
    assert received(b"\x80" + b"\x80" * 8 + b"\x01x" + CLOSING) == [Close(None, "")]
    assert fault(b"\x80" + b"\x80" * 9) == (CloseCode.PROTOCOL_ERROR, "a length of more than 9 bytes")


def test_good_messages_come_out_before_the_fault_behind_them() -> None:
    assert told(received(b"\x00one\xff\x00two\xff\x00three!", message_max_bytes=5)) == [
        text("one"),
        text("two"),
        TOO_LONG,
    ]


def test_what_is_discarded_is_not_kept() -> None:
    reader = Decoder(message_max_bytes=0, frame_counts=[0] * 16)
    segment = b"x" * 65536
    tracemalloc.start()
    try:
        for head in (b"\x01", b"\x80\xc0\x80\x80\x00"):
            assert reader.receive(head) == []
            for _ in range(64):
                assert reader.receive(segment) == []
            assert reader.receive(b"\xff") == []
        kept_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert kept_bytes < len(segment)
