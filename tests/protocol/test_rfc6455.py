import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame as WebsocketsFrame
from websockets.protocol import OPEN
from websockets.uri import parse_uri
from wsproto.connection import Connection as WsprotoConnection
from wsproto.connection import ConnectionType
from wsproto.events import BytesMessage, CloseConnection, TextMessage
from wsproto.events import Event as WsprotoEvent
from wsproto.events import Ping as WsprotoPing
from wsproto.events import Pong as WsprotoPong

from roomcast.protocol.events import Close, Event, Failed, Message, More, Ping, Pong
from roomcast.protocol.frames import CloseCode, Opcode
from roomcast.protocol.rfc6455 import INFLATED_PER_TURN_BYTES, Decoder, encode, encode_close
from tests.protocol.clients import all_events, deflated, frame, pieces, told

TEXT, BINARY, CONTINUATION = Opcode.TEXT, Opcode.BINARY, Opcode.CONTINUATION


def decoder(
    *,
    message_max_bytes: int = 0,
    fragments_max: int = 0,
    frame_counts: list[int] | None = None,
    may_inflate: bool = False,
) -> Decoder:
    return Decoder(
        message_max_bytes=message_max_bytes,
        fragments_max=fragments_max,
        frame_counts=frame_counts or [0] * 16,
        may_inflate=may_inflate,
    )


def fault(
    stream: bytes, *, message_max_bytes: int = 0, fragments_max: int = 0, may_inflate: bool = False
) -> tuple[CloseCode, str]:
    """The close code and the words of the one event that these bytes lead to."""
    reader = decoder(message_max_bytes=message_max_bytes, fragments_max=fragments_max, may_inflate=may_inflate)
    (event,) = reader.receive(stream)
    assert isinstance(event, Failed)
    return event.error.close_code, str(event.error)


# What the server says


@pytest.mark.parametrize(
    ("encoded", "expected"),
    [
        (encode(TEXT, b"Hello"), "810548656c6c6f"),
        (encode(Opcode.PING, b"Hello"), "890548656c6c6f"),
        (encode(BINARY, bytes(256))[:4], "827e0100"),
        (encode(BINARY, bytes(65536))[:10], "827f0000000000010000"),
        (encode(TEXT, bytes.fromhex("f248cdc9c90700"), is_compressed=True), "c107f248cdc9c90700"),
        (encode_close(1000), "880203e8"),
        (encode_close(1012, "restart"), "880903f472657374617274"),
        (encode_close(None, "left out"), "8800"),
    ],
)
def test_frames_are_the_examples_of_the_rfc(encoded: bytes, expected: str) -> None:
    assert encoded.hex() == expected


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_a_client_of_another_make_reads_what_is_encoded(opcode: Opcode, size: int) -> None:
    client = ClientProtocol(parse_uri("ws://relay.example/"), state=OPEN)

    client.receive_data(encode(opcode, b"x" * size))

    (received,) = client.events_received()
    assert isinstance(received, WebsocketsFrame)
    assert (received.fin, int(received.opcode), received.data) == (True, int(opcode), b"x" * size)


def test_a_control_frame_of_126_bytes_is_not_sent() -> None:
    assert len(encode(Opcode.PING, bytes(125))) == 127
    with pytest.raises(ValueError, match="a PING frame of 126 bytes: a control frame carries 125"):
        encode(Opcode.PING, bytes(126))


def test_a_close_reason_has_room_for_123_bytes() -> None:
    assert len(encode_close(1000, "r" * 123)) == 127
    with pytest.raises(ValueError, match="a CLOSE frame of 126 bytes: a control frame carries 125"):
        encode_close(1000, "r" * 124)


@pytest.mark.parametrize("code", [0, 999, 1005, 1006, 1015, 5000])
def test_a_reserved_close_code_is_not_sent(code: int) -> None:
    with pytest.raises(ValueError, match=f"close code {code} must not stand in a close frame"):
        encode_close(code)


# What the client says: messages


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        ("818537fa213d7f9f4d5158", Message(TEXT, b"Hello")),
        ("018337fa213d7f9f4d808237fa213d5b95", Message(TEXT, b"Hello")),
    ],
)
def test_the_examples_of_the_rfc_are_read(stream: str, message: Message) -> None:
    assert decoder().receive(bytes.fromhex(stream)) == [message]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 70000])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_a_message_of_any_length_is_read_in_one_piece_and_in_two(opcode: Opcode, size: int) -> None:
    payload = b"0123456789" * 7000
    stream = frame(opcode, payload[:size])

    for cut in (0, 1, 2, 5, 7, 9, 13, len(stream) // 2, len(stream) - 1):
        reader = decoder()
        events = reader.receive(stream[:cut]) + reader.receive(stream[cut:])
        assert events == [Message(opcode, payload[:size])]


def test_messages_in_one_segment_come_out_in_their_order() -> None:
    stream = frame(TEXT, b"one") + frame(BINARY, b"\xff\x00") + frame(TEXT, "drei: €".encode()) + frame(TEXT)

    assert decoder().receive(stream) == [
        Message(TEXT, b"one"),
        Message(BINARY, b"\xff\x00"),
        Message(TEXT, "drei: €".encode()),
        Message(TEXT, b""),
    ]


def test_control_frames_between_fragments_come_out_first() -> None:
    stream = (
        frame(TEXT, b"a", is_final=False)
        + frame(Opcode.PING, b"are you there")
        + frame(CONTINUATION, b"b", is_final=False)
        + frame(Opcode.PONG, b"I am")
        + frame(CONTINUATION, b"c")
        + frame(TEXT, b"next")
    )

    assert decoder().receive(stream) == [
        Ping(b"are you there"),
        Pong(b"I am"),
        Message(TEXT, b"abc"),
        Message(TEXT, b"next"),
    ]


def test_a_message_may_be_all_empty_fragments() -> None:
    stream = frame(BINARY, is_final=False) + frame(CONTINUATION, is_final=False) + frame(CONTINUATION)

    assert decoder().receive(stream) == [Message(BINARY, b"")]


def test_every_frame_is_counted_by_its_opcode() -> None:
    counts = [0] * 16
    stream = (
        frame(TEXT, b"one")
        + frame(TEXT, b"t", is_final=False)
        + frame(CONTINUATION, b"w", is_final=False)
        + frame(Opcode.PING)
        + frame(CONTINUATION, b"o")
        + frame(BINARY, bytes(70000))
        + frame(Opcode.PONG)
        + frame(Opcode.CLOSE)
    )

    decoder(frame_counts=counts).receive(stream)

    assert counts == [2, 2, 1, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0]


def test_a_frame_that_breaks_a_rule_is_not_counted() -> None:
    counts = [0] * 16

    decoder(frame_counts=counts).receive(frame(TEXT, b"\xff"))

    assert counts == [0] * 16


# What the client says: the end


@pytest.mark.parametrize(
    ("payload", "close"),
    [
        (b"", Close(None, "")),
        (b"\x03\xe8", Close(1000, "")),
        (b"\x03\xe9" + "tschüß".encode(), Close(1001, "tschüß")),
        (b"\x0f\xa0" + b"r" * 123, Close(4000, "r" * 123)),
    ],
)
def test_a_goodbye_is_read_with_its_code_and_reason(payload: bytes, close: Close) -> None:
    reader = decoder()

    assert reader.receive(frame(Opcode.CLOSE, payload)) == [close]
    assert reader.is_over


def test_what_follows_a_goodbye_is_not_read() -> None:
    stream = frame(TEXT, b"last") + frame(Opcode.CLOSE) + frame(TEXT, b"after") + b"\xff\xff"

    assert decoder().receive(stream) == [Message(TEXT, b"last"), Close(None, "")]


def test_a_goodbye_inside_a_fragmented_message_keeps_its_code() -> None:
    stream = frame(TEXT, b"unfinished", is_final=False) + frame(Opcode.CLOSE, b"\x0f\xa0")

    assert decoder().receive(stream) == [Close(4000, "")]


@pytest.mark.parametrize(
    ("payload", "code", "words"),
    [
        (b"\x03", 1002, "a CLOSE frame of 1 byte: a close code takes two"),
        (b"\x03\xed", 1002, "close code 1005 must not stand in a CLOSE frame"),
        (b"\x00\x00bye", 1002, "close code 0 must not stand in a CLOSE frame"),
        (b"\x03\xe8bye\xff", 1007, "text is not UTF-8 at byte 3: invalid start byte"),
    ],
)
def test_a_goodbye_that_breaks_a_rule_is_a_fault(payload: bytes, code: int, words: str) -> None:
    assert fault(frame(Opcode.CLOSE, payload)) == (code, words)


# What the client says: faults


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        (frame(CONTINUATION), "a CONTINUATION frame without a message to continue"),
        (frame(TEXT, is_final=False) + frame(TEXT), "a TEXT frame inside an unfinished message"),
        (frame(BINARY, is_final=False) + frame(BINARY), "a BINARY frame inside an unfinished message"),
        (b"\x81\x05Hello", "a TEXT frame that is not masked, as a client's must be"),
        (b"\x81\x7e\x01\x00", "a TEXT frame that is not masked, as a client's must be"),
        (frame(TEXT | 0x40, b"compressed"), "frame starts with 0xC1: its reserved bits must be 0"),
        (bytes.fromhex("81fe0005 37fa213d 7f9f4d5158"), "length 5 is encoded in 2 bytes, not in fewer"),
    ],
)
def test_a_frame_that_breaks_a_rule_is_1002(stream: bytes, words: str) -> None:
    assert fault(stream) == (CloseCode.PROTOCOL_ERROR, words)


def test_three_good_messages_come_out_before_the_fault_behind_them() -> None:
    reader = decoder()

    events = reader.receive(frame(TEXT, b"1") + frame(TEXT, b"2") + frame(TEXT, b"3") + b"\x83\x80" + frame(TEXT, b"5"))

    assert told(events) == [
        Message(TEXT, b"1"),
        Message(TEXT, b"2"),
        Message(TEXT, b"3"),
        (CloseCode.PROTOCOL_ERROR, "frame starts with 0x83: its opcode is reserved"),
    ]
    assert reader.is_over


@pytest.mark.parametrize("payload", [b"ok \xff", b"ok \xe2\x82", b"ok \xed\xa0\x80 " + bytes(200)])
def test_text_that_is_not_utf8_is_1007(payload: bytes) -> None:
    code, words = fault(frame(TEXT, payload))

    assert code is CloseCode.NOT_UTF8
    assert words.startswith("text is not UTF-8 at byte 3: ")


def test_bad_text_is_refused_inside_a_frame_that_is_still_arriving() -> None:
    stream = frame(TEXT, b"ok \xff" + bytes(1000))

    assert decoder().receive(stream[: 8 + 3]) == []
    assert fault(stream[: 8 + 4]) == (CloseCode.NOT_UTF8, "text is not UTF-8 at byte 3: invalid start byte")


def test_bad_text_is_refused_in_the_fragment_that_holds_it() -> None:
    stream = frame(TEXT, b"ok \xe2", is_final=False) + frame(CONTINUATION, b"\x28", is_final=False)

    assert fault(stream) == (CloseCode.NOT_UTF8, "text is not UTF-8 at byte 3: invalid continuation byte")


def test_a_character_may_be_cut_by_fragments() -> None:
    stream = b"".join(
        frame(CONTINUATION if position else TEXT, "€".encode()[position : position + 1], is_final=position == 2)
        for position in range(3)
    )

    assert decoder().receive(stream) == [Message(TEXT, "€".encode())]


# Limits


@pytest.mark.parametrize("limit", [1, 125, 126, 65535, 65536])
def test_a_message_at_the_limit_is_taken_and_one_byte_more_is_1009(limit: int) -> None:
    assert decoder(message_max_bytes=limit).receive(frame(TEXT, b"x" * limit)) == [Message(TEXT, b"x" * limit)]
    assert fault(frame(TEXT, b"x" * (limit + 1)), message_max_bytes=limit) == (
        CloseCode.TOO_BIG,
        f"a message longer than message_max_bytes = {limit}",
    )


@pytest.mark.parametrize("length", ["fe0100", "ff0000000000010000", "ff7fffffffffffffff"])
def test_a_message_too_long_is_refused_from_its_length_alone(length: str) -> None:
    code, _ = fault(bytes.fromhex("82" + length), message_max_bytes=255)

    assert code is CloseCode.TOO_BIG


def test_fragments_are_added_up_and_refused_from_the_length_of_the_last() -> None:
    start = frame(BINARY, bytes(60), is_final=False) + frame(CONTINUATION, bytes(40), is_final=False)

    assert decoder(message_max_bytes=100).receive(start + frame(CONTINUATION)) == [Message(BINARY, bytes(100))]
    assert fault(start + b"\x00\x81", message_max_bytes=100)[0] is CloseCode.TOO_BIG


def test_control_frames_do_not_add_to_a_message() -> None:
    stream = frame(TEXT, b"ab", is_final=False) + frame(Opcode.PING, bytes(125)) + frame(CONTINUATION, b"c")

    assert decoder(message_max_bytes=3).receive(stream) == [Ping(bytes(125)), Message(TEXT, b"abc")]


@pytest.mark.parametrize(
    ("stream", "limit"),
    [
        (frame(TEXT, b"abc"), "message_max_bytes"),
        (frame(TEXT, is_final=False) + frame(CONTINUATION, is_final=False), "fragments_max"),
        (frame(TEXT, is_final=False) + frame(TEXT), None),
    ],
)
def test_a_fault_names_the_limit_that_is_exceeded(stream: bytes, limit: str | None) -> None:
    [event] = decoder(message_max_bytes=2, fragments_max=1).receive(stream)

    assert isinstance(event, Failed)
    assert event.error.limit == limit


def test_a_message_of_more_frames_than_allowed_is_1009() -> None:
    three = frame(TEXT, is_final=False) + frame(CONTINUATION, is_final=False) + frame(CONTINUATION)

    assert decoder(fragments_max=3).receive(three * 2) == [Message(TEXT, b""), Message(TEXT, b"")]
    assert fault(three, fragments_max=2) == (
        CloseCode.TOO_BIG,
        "a message of more frames than fragments_max = 2",
    )


# Compressed messages

HELLO = bytes.fromhex("f248cdc9c90700")
"""What RFC 7692 makes of Hello (7.2.3.1)."""


def test_a_compressed_message_is_read_whole_and_in_fragments_with_a_ping_between() -> None:
    counts = [0] * 16
    stream = (
        frame(TEXT, HELLO, is_compressed=True)
        + frame(TEXT, HELLO[:3], is_final=False, is_compressed=True)
        + frame(Opcode.PING)
        + frame(CONTINUATION, HELLO[3:])
        + frame(BINARY, b"plain")
    )

    assert decoder(may_inflate=True, frame_counts=counts).receive(stream) == [
        Message(TEXT, b"Hello"),
        Ping(b""),
        Message(TEXT, b"Hello"),
        Message(BINARY, b"plain"),
    ]
    assert counts[:3] + counts[9:10] == [1, 2, 1, 1]


def test_a_compressed_message_where_that_was_not_agreed_on_is_1002() -> None:
    assert fault(frame(TEXT, HELLO, is_compressed=True)) == (
        CloseCode.PROTOCOL_ERROR,
        "frame starts with 0xC1: its reserved bits must be 0",
    )


def test_a_fragment_that_says_it_is_compressed_is_1002() -> None:
    stream = frame(TEXT, HELLO[:3], is_final=False, is_compressed=True)

    assert fault(stream + frame(CONTINUATION, HELLO[3:], is_compressed=True), may_inflate=True) == (
        CloseCode.PROTOCOL_ERROR,
        "a CONTINUATION frame that says it is compressed: the first of a message says it",
    )


def test_bad_text_is_refused_inside_a_compressed_frame_that_is_still_arriving() -> None:
    stream = frame(TEXT, deflated(b"ok \xff" + b"more " * 1000, flushed_every=4), is_compressed=True)

    assert fault(stream[:30], may_inflate=True) == (
        CloseCode.NOT_UTF8,
        "text is not UTF-8 at byte 3: invalid start byte",
    )


@pytest.mark.parametrize("limit", [1, 125, 65_536])
def test_a_message_that_inflates_to_the_limit_is_taken_and_one_byte_more_is_1009(limit: int) -> None:
    stream = frame(BINARY, deflated(b"x" * limit), is_compressed=True)

    assert decoder(message_max_bytes=limit, may_inflate=True).receive(stream) == [Message(BINARY, b"x" * limit)]
    assert fault(
        frame(BINARY, deflated(b"x" * (limit + 1)), is_compressed=True), message_max_bytes=limit, may_inflate=True
    ) == (
        CloseCode.TOO_BIG,
        f"a message that inflates to more than message_max_bytes = {limit}",
    )


def test_a_compressed_message_longer_than_compression_makes_it_is_refused_from_its_length_alone() -> None:
    # 640 bytes, an eighth and a 64th of them, and 16 for each frame.
    longest, words = 640 + 80 + 10 + 16, "a message longer than message_max_bytes = 640, even compressed"
    header = bytes.fromhex("c2fe")

    assert decoder(message_max_bytes=640, may_inflate=True).receive(header + longest.to_bytes(2, "big")) == []
    assert fault(header + (longest + 1).to_bytes(2, "big"), message_max_bytes=640, may_inflate=True) == (1009, words)


def test_the_frames_of_a_compressed_message_are_added_up() -> None:
    first = frame(BINARY, deflated(bytes(640))[:1], is_final=False, is_compressed=True)
    rest = 640 + 80 + 10 + 2 * 16 - 1

    reader = decoder(message_max_bytes=640, may_inflate=True)
    assert reader.receive(first + b"\x80\xfe" + rest.to_bytes(2, "big")) == []
    assert (
        fault(first + b"\x80\xfe" + (rest + 1).to_bytes(2, "big"), message_max_bytes=640, may_inflate=True)[0] == 1009
    )


def test_a_compressed_message_of_more_frames_than_allowed_is_1009() -> None:
    stream = frame(TEXT, HELLO[:3], is_final=False, is_compressed=True) + frame(CONTINUATION, HELLO[3:])

    assert decoder(fragments_max=2, may_inflate=True).receive(stream) == [Message(TEXT, b"Hello")]
    assert fault(stream, fragments_max=1, may_inflate=True)[0] is CloseCode.TOO_BIG


def test_a_segment_of_small_bombs_is_inflated_in_turns() -> None:
    size = INFLATED_PER_TURN_BYTES // 4
    stream = frame(BINARY, deflated(bytes(size), level=9), is_compressed=True) * 10

    reader = decoder(may_inflate=True)
    turns = [reader.receive(stream), reader.receive(b""), reader.receive(b"")]

    assert len(stream) < 1000
    assert [len(events) for events in turns] == [4 + 1, 4 + 1, 2]
    assert [events[-1] for events in turns[:2]] == [More(), More()]
    assert reader.receive(frame(TEXT, b"next")) == [Message(TEXT, b"next")]


def test_a_segment_of_empty_compressed_messages_takes_turns_too() -> None:
    stream = frame(BINARY, b"\x00", is_compressed=True) * 1000

    reader = decoder(may_inflate=True)

    assert len(reader.receive(stream)) == 256 + 1
    assert len(all_events(reader.receive, b"")) == 1000 - 256


def test_what_comes_after_a_pause_is_read_behind_what_waited() -> None:
    bomb = frame(BINARY, deflated(bytes(INFLATED_PER_TURN_BYTES)), is_compressed=True)

    reader = decoder(may_inflate=True)
    first = reader.receive(bomb + frame(TEXT, b"one")[:3])
    second = reader.receive(frame(TEXT, b"one")[3:] + frame(TEXT, b"two"))

    assert first[1:] == [More()]
    assert second == [Message(TEXT, b"one"), Message(TEXT, b"two")]


def test_nothing_waits_when_a_segment_ends_with_what_was_enough() -> None:
    bomb = frame(BINARY, deflated(bytes(INFLATED_PER_TURN_BYTES)), is_compressed=True)

    assert len(decoder(may_inflate=True).receive(bomb)) == 1


# An outside witness


def as_we_say_it(events: list[WsprotoEvent]) -> list[Event]:
    """Its events in our words; it hands out messages in pieces."""
    said: list[Event] = []
    payload = b""
    for event in events:
        match event:
            case TextMessage() | BytesMessage():
                is_text = isinstance(event, TextMessage)
                payload += event.data.encode() if isinstance(event, TextMessage) else bytes(event.data)
                if event.message_finished:
                    said.append(Message(TEXT if is_text else BINARY, payload))
                    payload = b""
            case WsprotoPing():
                said.append(Ping(bytes(event.payload)))
            case WsprotoPong():
                said.append(Pong(bytes(event.payload)))
            case CloseConnection():
                # It has no None: 1005 stands for a close frame without a code.
                said.append(Close(None if event.code == 1005 else int(event.code), event.reason or ""))
    return said


controls = st.builds(frame, st.sampled_from([Opcode.PING, Opcode.PONG]), st.binary(max_size=125))


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """One message in any number of fragments, perhaps with control frames between them."""
    is_text = draw(st.booleans())
    payload = draw(st.text(max_size=200)).encode() if is_text else draw(st.binary(max_size=300))
    fragments = pieces(payload, draw(st.lists(st.integers(0, len(payload)), max_size=4)))
    stream = b""
    for number, fragment in enumerate(fragments):
        opcode = CONTINUATION if number else TEXT if is_text else BINARY
        key = draw(st.binary(min_size=4, max_size=4))
        stream += frame(opcode, fragment, is_final=number == len(fragments) - 1, key=key)
        stream += draw(controls) if draw(st.booleans()) and number < len(fragments) - 1 else b""
    return stream


closes = st.one_of(
    st.just(b""),
    st.builds(
        lambda code, reason: code.to_bytes(2, "big") + reason.encode(),
        st.sampled_from([1000, 1001, 3000, 4999]),
        st.text(max_size=30),
    ),
)


@given(stream=st.lists(st.one_of(messages(), controls), max_size=5).map(b"".join), goodbye=closes)
def test_what_is_valid_is_read_as_wsproto_reads_it(stream: bytes, goodbye: bytes) -> None:
    stream += frame(Opcode.CLOSE, goodbye)
    witness = WsprotoConnection(ConnectionType.SERVER)
    witness.receive_data(stream)

    assert decoder().receive(stream) == as_we_say_it(list(witness.events()))
