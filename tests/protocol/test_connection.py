import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame as WebsocketsFrame
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from roomcast.protocol import hixie76, rfc6455
from roomcast.protocol.connection import Close, Connection, Event, Failed, Message, More, Ping, Pong, Sendable
from roomcast.protocol.errors import FrameError
from roomcast.protocol.frames import CloseCode, Opcode
from roomcast.protocol.handshake import Dialect
from tests.protocol.clients import all_events, deflated, frame, pieces, told

TEXT, BINARY = Opcode.TEXT, Opcode.BINARY
BOTH = pytest.mark.parametrize("dialect", Dialect)

HELLO = {Dialect.RFC6455: frame(TEXT, b"hello"), Dialect.HIXIE76: b"\x00hello\xff"}
GOODBYE = {Dialect.RFC6455: frame(Opcode.CLOSE), Dialect.HIXIE76: b"\xff\x00"}
FAULT = {Dialect.RFC6455: b"\x83\x80", Dialect.HIXIE76: b"\x80" * 11}


def connection(
    dialect: Dialect,
    *,
    message_max_bytes: int = 0,
    fragments_max: int = 0,
    frame_counts: list[int] | None = None,
    may_inflate: bool = False,
) -> Connection:
    return Connection(
        dialect,
        message_max_bytes=message_max_bytes,
        fragments_max=fragments_max,
        frame_counts=frame_counts,
        may_inflate=may_inflate,
    )


# What arrived


@BOTH
def test_a_message_comes_out_whatever_the_dialect(dialect: Dialect) -> None:
    assert connection(dialect).receive(HELLO[dialect]) == [Message(TEXT, b"hello")]


@BOTH
def test_the_goodbye_is_the_last_event(dialect: Dialect) -> None:
    member = connection(dialect)

    assert member.receive(HELLO[dialect] + GOODBYE[dialect] + HELLO[dialect]) == [
        Message(TEXT, b"hello"),
        Close(None, ""),
    ]
    assert member.receive(HELLO[dialect]) == []


@BOTH
def test_a_fault_is_the_last_event(dialect: Dialect) -> None:
    member = connection(dialect)

    message, failed = member.receive(HELLO[dialect] + FAULT[dialect] + HELLO[dialect])

    assert message == Message(TEXT, b"hello")
    assert isinstance(failed, Failed)
    assert failed.error.close_code is CloseCode.PROTOCOL_ERROR
    assert member.receive(HELLO[dialect]) == []


@BOTH
def test_the_limit_of_a_message_holds_for_both_dialects(dialect: Dialect) -> None:
    (failed,) = connection(dialect, message_max_bytes=4).receive(HELLO[dialect])

    assert isinstance(failed, Failed)
    assert failed.error.close_code is CloseCode.TOO_BIG


def test_the_limit_of_fragments_is_passed_on() -> None:
    member = connection(Dialect.RFC6455, fragments_max=1)

    (failed,) = member.receive(frame(TEXT, is_final=False) + frame(Opcode.CONTINUATION))

    assert isinstance(failed, Failed)


@BOTH
def test_connections_can_share_their_counts(dialect: Dialect) -> None:
    counts = [0] * 16

    for _ in range(3):
        connection(dialect, frame_counts=counts).receive(HELLO[dialect] + GOODBYE[dialect])

    assert (counts[TEXT], counts[Opcode.CLOSE], sum(counts)) == (3, 3, 6)


def test_a_compressed_message_comes_out_where_it_was_agreed_on_and_is_a_fault_elsewhere() -> None:
    stream = frame(TEXT, deflated(b"hello"), is_compressed=True)

    assert connection(Dialect.RFC6455, may_inflate=True).receive(stream) == [Message(TEXT, b"hello")]
    (failed,) = connection(Dialect.RFC6455).receive(stream)
    assert isinstance(failed, Failed)
    assert failed.error.close_code is CloseCode.PROTOCOL_ERROR


def test_a_hixie76_frame_that_is_discarded_says_nothing() -> None:
    assert connection(Dialect.HIXIE76).receive(b"\x80\x03abc\x01abc\xff") == []


# What to say


@pytest.mark.parametrize(
    ("event", "frames"),
    [
        (Message(TEXT, b"hello"), rfc6455.encode(TEXT, b"hello")),
        (Message(BINARY, b"\xff\x00"), rfc6455.encode(BINARY, b"\xff\x00")),
        (Ping(b"1"), rfc6455.encode(Opcode.PING, b"1")),
        (Pong(b"2"), rfc6455.encode(Opcode.PONG, b"2")),
        (Close(1012, "restart"), rfc6455.encode_close(1012, "restart")),
        (Close(None, ""), rfc6455.encode_close(None)),
    ],
)
def test_rfc6455_can_say_everything(event: Sendable, frames: bytes) -> None:
    assert connection(Dialect.RFC6455).send(event) == frames


@pytest.mark.parametrize(
    ("event", "frames"),
    [
        (Message(TEXT, b"hello"), b"\x00hello\xff"),
        (Message(BINARY, b"\xff\x00"), b""),
        (Ping(b"1"), b""),
        (Pong(b"2"), b""),
        (Close(1012, "restart"), b"\xff\x00"),
        (Close(None, ""), b"\xff\x00"),
    ],
)
def test_hixie76_says_what_it_can(event: Sendable, frames: bytes) -> None:
    assert connection(Dialect.HIXIE76).send(event) == frames


@BOTH
def test_after_our_goodbye_nothing_is_said(dialect: Dialect) -> None:
    member = connection(dialect)
    member.send(Close(1000, ""))

    assert [member.send(event) for event in (Message(TEXT, b"late"), Ping(b""), Pong(b""), Close(1000, ""))] == [
        b""
    ] * 4


@BOTH
def test_after_our_goodbye_messages_are_discarded_and_the_peers_goodbye_is_heard(dialect: Dialect) -> None:
    member = connection(dialect)
    member.send(Close(1000, ""))

    assert member.receive(HELLO[dialect]) == []
    assert member.receive(HELLO[dialect] + GOODBYE[dialect]) == [Close(None, "")]


def test_after_our_goodbye_a_ping_is_still_heard() -> None:
    member = connection(Dialect.RFC6455)
    member.send(Close(1000, ""))

    assert member.receive(frame(TEXT, b"late") + frame(Opcode.PING, b"?")) == [Ping(b"?")]


@BOTH
def test_after_our_goodbye_a_fault_is_still_told(dialect: Dialect) -> None:
    member = connection(dialect)
    member.send(Close(1000, ""))

    (failed,) = member.receive(HELLO[dialect] + FAULT[dialect])

    assert isinstance(failed, Failed)


@BOTH
def test_a_goodbye_can_be_answered_and_a_fault_explained(dialect: Dialect) -> None:
    for end in (GOODBYE[dialect], FAULT[dialect]):
        member = connection(dialect)
        member.receive(end)
        assert member.send(Close(1002, ""))


def test_an_event_that_fits_in_no_frame_is_refused_and_changes_nothing() -> None:
    member = connection(Dialect.RFC6455)

    with pytest.raises(ValueError, match="1005"):
        member.send(Close(1005, ""))

    assert member.send(Ping(b"")) == b"\x89\x00"


# What it costs


@BOTH
def test_an_idle_connection_is_less_than_250_bytes(dialect: Dialect) -> None:
    member = connection(dialect, message_max_bytes=65536, fragments_max=4096, frame_counts=[0] * 16)
    member.receive(HELLO[dialect] * 3)
    member.receive(HELLO[dialect][:4])
    member.receive(HELLO[dialect][4:])

    decoder = member._decoder

    assert decoder is not None
    assert sys.getsizeof(member) + sys.getsizeof(decoder) < 250
    assert (decoder._held, decoder._incoming) == (b"", None)


def test_an_idle_connection_holds_nothing_of_zlib() -> None:
    member = connection(Dialect.RFC6455, message_max_bytes=65536, may_inflate=True)
    member.receive(frame(TEXT, deflated(b"hello" * 1000), is_compressed=True))

    decoder = member._decoder

    assert isinstance(decoder, rfc6455.Decoder)
    assert sys.getsizeof(member) + sys.getsizeof(decoder) < 250
    assert (decoder._held, decoder._incoming) == (b"", None)


# However the bytes are cut


rfc6455_frames = st.builds(
    frame,
    st.sampled_from([0, 0, 1, 1, 2, 8, 9, 10, 0x41, 3]),
    st.one_of(st.binary(max_size=140), st.text(max_size=60).map(str.encode), st.just(b"\x03\xe8bye")),
    is_final=st.booleans(),
)
compressed_frames = st.builds(
    lambda opcode, payload, cut, is_final: frame(opcode, payload[cut:], is_final=is_final, is_compressed=opcode > 0),
    st.sampled_from([0, 1, 1, 2, 9]),
    st.one_of(
        st.text(max_size=60).map(lambda text: deflated(text.encode())),
        st.binary(max_size=200).map(lambda payload: deflated(payload, flushed_every=50)),
        st.binary(max_size=20),
        st.just(bytes.fromhex("f348cdc9c9070000")),
    ),
    st.sampled_from([0, 0, 0, 1, 5]),
    st.booleans(),
)
hixie76_frames = st.one_of(
    st.text(max_size=60).map(lambda text: b"\x00" + text.encode() + b"\xff"),
    st.binary(max_size=30).map(lambda payload: b"\x00" + payload + b"\xff"),
    st.binary(max_size=30).map(lambda payload: b"\x80" + bytes([len(payload)]) + payload),
    st.sampled_from([b"\xff\x00", b"\x01ignored\xff", b"\x80\x80\x80\x00", b"\xff\x81\x00" + bytes(128)]),
)


@st.composite
def streams(draw: st.DrawFn, frames: st.SearchStrategy[bytes]) -> bytes:
    """Frames, good and bad, one of whose bytes may be wrong, or no frames at all."""
    stream = b"".join(draw(st.lists(st.one_of(frames, frames, frames, st.binary(max_size=6)), max_size=6)))
    if stream and draw(st.booleans()):
        position = draw(st.integers(0, len(stream) - 1))
        stream = stream[:position] + draw(st.binary(max_size=2)) + stream[position + 1 :]
    return stream


def check_that_cuts_do_not_matter(
    dialect: Dialect, stream: bytes, cuts: list[int], limit: int, *, may_inflate: bool = False
) -> None:
    counts_of_one, counts_of_many = [0] * 16, [0] * 16
    one, many = (
        connection(dialect, message_max_bytes=limit, fragments_max=3, frame_counts=counts, may_inflate=may_inflate)
        for counts in (counts_of_one, counts_of_many)
    )

    whole = one.receive(stream)
    cut: list[Event] = [event for piece in pieces(stream, cuts) for event in many.receive(piece)]

    assert told(cut) == told(whole)
    assert counts_of_many == counts_of_one
    assert not any(isinstance(event, (Close, Failed)) for event in whole[:-1])
    for event in whole:
        if isinstance(event, Message):
            assert not limit or len(event.payload) <= limit
            assert event.opcode is BINARY or event.payload.decode().encode() == event.payload


limits = st.sampled_from([0, 0, 1, 50, 125, 130])
cuts = st.lists(st.integers(0, 400), max_size=8)


@settings(max_examples=500)
@given(stream=streams(rfc6455_frames), cuts=cuts, limit=limits)
def test_rfc6455_does_not_depend_on_how_the_bytes_arrive(stream: bytes, cuts: list[int], limit: int) -> None:
    check_that_cuts_do_not_matter(Dialect.RFC6455, stream, cuts, limit)
    check_that_cuts_do_not_matter(Dialect.RFC6455, stream, list(range(len(stream))), limit)


@settings(max_examples=500)
@given(stream=streams(st.one_of(rfc6455_frames, compressed_frames, compressed_frames)), cuts=cuts, limit=limits)
def test_compressed_messages_do_not_depend_on_how_the_bytes_arrive(stream: bytes, cuts: list[int], limit: int) -> None:
    check_that_cuts_do_not_matter(Dialect.RFC6455, stream, cuts, limit, may_inflate=True)
    check_that_cuts_do_not_matter(Dialect.RFC6455, stream, list(range(len(stream))), limit, may_inflate=True)


def test_where_a_connection_pauses_does_not_change_what_it_tells() -> None:
    bombs = b"".join(
        frame(BINARY, deflated(bytes(30_000) + b"%d" % number), is_compressed=True) for number in range(40)
    )
    paused, whole = connection(Dialect.RFC6455, may_inflate=True), connection(Dialect.RFC6455, may_inflate=True)

    first = paused.receive(bombs)
    events = all_events(whole.receive, bombs + GOODBYE[Dialect.RFC6455])

    assert first[-1] == More()
    assert len(first) == 9 + 1
    assert events == [
        *first[:-1],
        *all_events(paused.receive, GOODBYE[Dialect.RFC6455]),
    ]
    assert len(events) == 40 + 1


@settings(max_examples=500)
@given(stream=streams(hixie76_frames), cuts=cuts, limit=limits)
def test_hixie76_does_not_depend_on_how_the_bytes_arrive(stream: bytes, cuts: list[int], limit: int) -> None:
    check_that_cuts_do_not_matter(Dialect.HIXIE76, stream, cuts, limit)
    check_that_cuts_do_not_matter(Dialect.HIXIE76, stream, list(range(len(stream))), limit)


@BOTH
@settings(max_examples=500)
@given(stream=st.binary(max_size=60))
def test_no_bytes_lead_to_anything_but_events(dialect: Dialect, stream: bytes) -> None:
    for event in connection(dialect, message_max_bytes=30).receive(stream):
        assert not isinstance(event, Failed) or isinstance(event.error, FrameError)


@given(st.text(max_size=300))
def test_both_dialects_hand_on_the_same_text(text: str) -> None:
    payload = text.encode()
    modern = connection(Dialect.RFC6455).receive(frame(TEXT, payload))

    assert modern == connection(Dialect.HIXIE76).receive(hixie76.encode(payload)) == [Message(TEXT, payload)]


# Whatever is said


sendables = st.one_of(
    st.builds(Message, st.sampled_from([TEXT, BINARY]), st.text(max_size=200).map(str.encode)),
    st.builds(Ping, st.binary(max_size=125)),
    st.builds(Pong, st.binary(max_size=125)),
    st.builds(Close, st.none() | st.sampled_from([*CloseCode, 3000, 4401]), st.text(max_size=20)),
)


def frame_of(event: Sendable) -> tuple[int, bytes]:
    """The opcode and the payload that a client should find."""
    match event:
        case Message(opcode, payload):
            return opcode, payload
        case Ping(payload):
            return Opcode.PING, payload
        case Pong(payload):
            return Opcode.PONG, payload
        case _:
            return Opcode.CLOSE, event.code.to_bytes(2, "big") + event.reason.encode() if event.code else b""


@given(st.lists(sendables, max_size=6))
def test_a_client_of_another_make_reads_all_that_is_said_up_to_the_goodbye(said: list[Sendable]) -> None:
    member, client = connection(Dialect.RFC6455), ClientProtocol(parse_uri("ws://relay.example/"), state=OPEN)
    last = next((number for number, event in enumerate(said) if isinstance(event, Close)), len(said))

    client.receive_data(b"".join(member.send(event) for event in said))

    heard = [event for event in client.events_received() if isinstance(event, WebsocketsFrame)]
    assert client.parser_exc is None
    assert [(int(one.opcode), bytes(one.data)) for one in heard] == [frame_of(event) for event in said[: last + 1]]


@given(st.lists(sendables, max_size=6))
def test_hixie76_says_the_texts_and_the_goodbye_and_can_read_itself(said: list[Sendable]) -> None:
    speaker, listener = connection(Dialect.HIXIE76), connection(Dialect.HIXIE76)
    last = next((number for number, event in enumerate(said) if isinstance(event, Close)), len(said))

    heard = listener.receive(b"".join(speaker.send(event) for event in said))

    texts: list[Event] = [event for event in said[:last] if isinstance(event, Message) and event.opcode is TEXT]
    assert heard == texts + [Close(None, "")] * (last < len(said))
