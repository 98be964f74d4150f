from hypothesis import given
from hypothesis import strategies as st

from roomcast.relay.message import OVERHEAD_BYTES, Kind, Message
from tests.relay.fake_wire import BracketFormat


def test_message_is_encoded_once_for_each_format() -> None:
    formats = [BracketFormat(b"<>"), BracketFormat(b"[]"), BracketFormat(b"()")]
    message = Message("/rooms/a", 1, Kind.TEXT, b"hello", None, 0.0)

    first = [message.frame(wire_format) for wire_format in formats]
    again = [message.frame(wire_format) for wire_format in formats]

    assert first == [b"<hello>", b"[hello]", b"(hello)"]
    assert all(one is other for one, other in zip(first, again, strict=True))
    assert [wire_format.encoded for wire_format in formats] == [[b"hello"]] * 3


def test_format_that_cannot_carry_a_kind_is_asked_once() -> None:
    text_only = BracketFormat(b"[]", carries_binary=False)
    message = Message("/rooms/a", 1, Kind.BINARY, b"\x00\x01", None, 0.0)

    assert [message.frame(text_only), message.frame(text_only)] == [None, None]
    assert text_only.encoded == [b"\x00\x01"]


def test_second_format_that_cannot_carry_a_kind_is_asked_once() -> None:
    text_only = BracketFormat(b"[]", carries_binary=False)
    message = Message("/rooms/a", 1, Kind.BINARY, b"\x00\x01", None, 0.0)
    message.frame(BracketFormat(b"<>"))

    assert [message.frame(text_only), message.frame(text_only)] == [None, None]
    assert text_only.encoded == [b"\x00\x01"]


def test_empty_message_counts_for_what_it_occupies() -> None:
    assert Message("/rooms/a", 1, Kind.TEXT, b"", None, 0.0).size_bytes == OVERHEAD_BYTES


def test_size_counts_the_payload_once() -> None:
    assert Message("/rooms/a", 1, Kind.TEXT, b"x" * 1_000, None, 0.0).size_bytes == 1_000 + OVERHEAD_BYTES


@given(asked=st.lists(st.integers(0, 3)), kind=st.sampled_from(Kind), payload=st.binary(max_size=5))
def test_message_is_encoded_once_for_each_format_whoever_asks_when(
    asked: list[int], kind: Kind, payload: bytes
) -> None:
    formats = [BracketFormat(brackets, carries_binary=brackets != b"()") for brackets in (b"<>", b"[]", b"()", b"{}")]
    message = Message("/rooms/a", 1, kind, payload, None, 0.0)

    for number in asked:
        wire_format = formats[number]
        expected = wire_format.left + payload + wire_format.right
        assert message.frame(wire_format) == (expected if kind is Kind.TEXT or number != 2 else None)

    assert [len(wire_format.encoded) for wire_format in formats] == [int(number in asked) for number in range(4)]


def test_frames_are_counted_when_they_are_made_once_for_each_format_that_can_carry_them() -> None:
    formats = [BracketFormat(b"<>"), BracketFormat(b"[]", carries_binary=False), BracketFormat(b"()")]
    message = Message("/rooms/a", 1, Kind.BINARY, b"hello", None, 0.0)
    before = message.frame_bytes, [message.has_frame(wire_format) for wire_format in formats]

    for wire_format in formats * 2:
        message.frame(wire_format)

    assert before == (0, [False] * 3)
    assert message.frame_bytes == len(b"<hello>(hello)")
    assert all(message.has_frame(wire_format) for wire_format in formats)
