"""The decoder of RFC 6455, compressed messages included, fed with anything.

* Only events come out, whatever goes in; a fault is a ``Failed`` with a code.
* The events are the same however the bytes are cut.
* A text is UTF-8; nothing is longer than the limits; nothing follows the end.
* What is kept between two reads is the unfinished message and one header, and
  of what was not compressed never more than has arrived.
* What comes out of one read is bounded, too: a small one may inflate to a lot.
* Messages and verdict are those of ``websockets`` at the end of each frame,
  but for what ``exemptions.py`` lists.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from roomcast.protocol.errors import FrameError
from roomcast.protocol.events import Close, Event, Failed, Message, More, Ping, Pong
from roomcast.protocol.frames import CONTROL_PAYLOAD_MAX_BYTES, CloseCode, Opcode, may_be_received
from roomcast.protocol.rfc6455 import INFLATED_PER_TURN_BYTES, Decoder
from tests.fuzz import script
from tests.fuzz.bounds import check_words, kept_bytes, standing_rates
from tests.fuzz.witness import check_agreement
from tests.protocol.clients import deflated, frame, told


class Setup(NamedTuple):
    """What a decoder is made with."""

    message_max_bytes: int
    fragments_max: int = 0
    frames_per_s: int = 0
    may_inflate: bool = False


SETUPS = (
    Setup(0),
    Setup(64),
    Setup(125, fragments_max=3),
    Setup(126),
    Setup(1000, fragments_max=2),
    Setup(0xFFFF),
    Setup(70_000, fragments_max=4),
    Setup(1000, frames_per_s=2),
    Setup(0, may_inflate=True),
    Setup(20, may_inflate=True),
    Setup(1000, fragments_max=3, may_inflate=True),
    Setup(70_000, may_inflate=True),
)
"""No limit; the short lengths; the edges of the long ones; each other limit once; the same for compressed messages."""

HEADER_MAX_BYTES = 14
"""Two bytes, eight of length, the key."""

_FAULTS = {CloseCode.PROTOCOL_ERROR, CloseCode.NOT_UTF8, CloseCode.TOO_BIG, CloseCode.POLICY_VIOLATION}
_NO_KEY = bytes(4)


def check(data: bytes) -> None:
    """Feed a decoder with what the input says, and hold it to its promises."""
    asked = script.read(data)
    setup = asked.choose(SETUPS)
    whole = decode([asked.stream], setup)
    assert told(decode(asked.pieces(), setup)) == told(whole), "the events depend on how the bytes are cut"
    for event in whole[:-1]:
        assert not isinstance(event, (Close, Failed)), "something follows the end"
    for event in whole:
        check_event(event, setup.message_max_bytes)
    if not (setup.fragments_max or setup.frames_per_s):
        message_max_bytes, may_inflate = setup.message_max_bytes, setup.may_inflate
        check_agreement(asked.stream, message_max_bytes=message_max_bytes, may_inflate=may_inflate)


def decode(pieces: Iterable[bytes], setup: Setup) -> list[Event]:
    """Return all events of a stream that arrives in these pieces, or of as much of it as is listened to."""
    counts = [0] * 16
    decoder = Decoder(
        message_max_bytes=setup.message_max_bytes,
        fragments_max=setup.fragments_max,
        frame_counts=counts,
        rates=standing_rates(setup.frames_per_s),
        may_inflate=setup.may_inflate,
    )
    events: list[Event] = []
    arrived_bytes = 0
    for piece in pieces:
        arrived_bytes += len(piece)
        for turn in turns(decoder, piece):
            events += turn
            most_bytes = setup.message_max_bytes + INFLATED_PER_TURN_BYTES + arrived_bytes
            assert not setup.message_max_bytes or size_of(turn) <= most_bytes, "more comes out in a turn than promised"
        if decoder.is_over:
            break
        check_kept(kept_bytes(decoder), arrived_bytes, setup)
    assert sum(counts) >= sum(not isinstance(event, Failed) for event in events), "an event without a frame"
    return events


def turns(decoder: Decoder, piece: bytes) -> Iterator[list[Event]]:
    """Yield what a piece leads to, turn by turn, each without the request for another."""
    events = decoder.receive(piece)
    while events and isinstance(events[-1], More):
        yield events[:-1]
        events = decoder.receive(b"")
    yield events


def size_of(events: list[Event]) -> int:
    """Return how many bytes of messages there are."""
    return sum(len(event.payload) for event in events if isinstance(event, Message))


def check_kept(kept: int, arrived_bytes: int, setup: Setup) -> None:
    """Make sure that no more is kept than one message, and one header or control frame."""
    if setup.message_max_bytes:
        most_bytes = setup.message_max_bytes + HEADER_MAX_BYTES + CONTROL_PAYLOAD_MAX_BYTES
        assert kept <= most_bytes, "more is kept than a message may be"
    if not setup.may_inflate:
        assert kept <= arrived_bytes + HEADER_MAX_BYTES, "more is kept than has arrived"


def check_event(event: Event, message_max_bytes: int) -> None:
    """Make sure that one event is what its class promises."""
    match event:
        case Message(opcode, payload):
            assert not message_max_bytes or len(payload) <= message_max_bytes, "a message beyond the limit"
            assert opcode in (Opcode.TEXT, Opcode.BINARY), "a message of no kind"
            assert opcode is Opcode.BINARY or payload.decode().encode() == payload, "a text that is not UTF-8"
        case Ping(payload) | Pong(payload):
            assert len(payload) <= CONTROL_PAYLOAD_MAX_BYTES, "a control frame beyond its limit"
        case Close(code, reason):
            assert code is None or may_be_received(code), "a close code that must not be received"
            assert len(reason.encode()) <= CONTROL_PAYLOAD_MAX_BYTES - 2, "a reason beyond its limit"
        case Failed(error):
            assert isinstance(error, FrameError), "a fault that is no FrameError"
            assert error.close_code in _FAULTS, "a fault with a code that is not the peer's doing"
            check_words(error)


def seeds() -> Iterator[bytes]:
    """Yield the inputs to begin with: one for each thing that a client can say, and for each way to say it wrong.

    Most with a key of zeros, so that what the fuzzer changes in a payload is
    what the decoder sees.
    """
    for stream in (*_good(), *_bad()):
        yield script.write(stream)
        yield script.write(stream, 1, choice=3)
    for number, stream in enumerate(_compressed()):
        yield script.write(stream, choice=8 + number % 4)
        yield script.write(stream, 1, choice=8 + (number + 1) % 4)
    # Enough for a pause in the middle of a segment; blocks that end the stream, one too many.
    yield script.write(_frame(Opcode.BINARY, deflated(bytes(69_000)), is_compressed=True) * 5, choice=11)
    yield script.write(_frame(Opcode.BINARY, b"\x03\x00" * 66, is_compressed=True), 50, choice=8)
    four = _frame(Opcode.TEXT, is_final=False) + _frame(Opcode.CONTINUATION, is_final=False) * 3
    yield script.write(four, 1, choice=2)
    yield script.write(four, choice=6)
    yield script.write(_frame(Opcode.PING) * 3 + _frame(Opcode.PONG) * 3, choice=7)
    yield script.write(_frame(Opcode.TEXT, is_final=False) + _frame(Opcode.CONTINUATION, is_final=False) * 5, choice=7)
    yield script.write(bytes.fromhex("818537fa213d7f9f4d5158"), 2, 5)


def _good() -> Iterator[bytes]:
    yield _frame(Opcode.TEXT, "drei: € 𝄞".encode())
    yield _frame(Opcode.BINARY, b"\xff\x00" * 63)
    yield _frame(Opcode.BINARY, bytes(300))
    yield _frame(Opcode.BINARY, bytes(0x10000))
    yield (
        _frame(Opcode.TEXT, b"\xe2", is_final=False)
        + _frame(Opcode.PING, b"?")
        + _frame(Opcode.CONTINUATION, b"\x82", is_final=False)
        + _frame(Opcode.PONG)
        + _frame(Opcode.CONTINUATION, b"\xac")
        + _frame(Opcode.TEXT)
    )
    yield _frame(Opcode.BINARY, is_final=False) + _frame(Opcode.CONTINUATION, b"ab") + _frame(Opcode.CLOSE)
    yield _frame(Opcode.TEXT, b"a", is_final=False) + _frame(Opcode.CLOSE, b"\x03\xe8" + "tschüß".encode())


def _bad() -> Iterator[bytes]:
    for payload in (b"ok \xff", b"\xed\xa0\x80", b"\xf4\x90", b"\xc0\xaf", b"\xe2\x82"):
        yield _frame(Opcode.TEXT, payload)
        yield _frame(Opcode.TEXT, payload, is_final=False) + _frame(Opcode.CONTINUATION)
    for payload in (b"\x03", b"\x03\xed", b"\x03\xe8\xff", b"\x13\x88"):
        yield _frame(Opcode.CLOSE, payload)
    yield _frame(Opcode.CONTINUATION)
    yield _frame(Opcode.TEXT, is_final=False) + _frame(Opcode.BINARY)
    yield _frame(Opcode.PING, is_final=False)
    for header in ("c18000000000", "8380", "8100", "89fe0080", "81fe0001", "81ff0000000000000001"):
        yield bytes.fromhex(header)
    yield bytes.fromhex("82ffffffffffffffffff")
    yield bytes.fromhex("82ff7fffffffffffffff") + _NO_KEY


def _compressed() -> Iterator[bytes]:
    yield bytes.fromhex("c187 00000000 f248cdc9c90700")
    yield bytes.fromhex("4183 00000000 f248cd 8084 00000000 c9c90700")
    # A block that is stored, one that says it is the last with a byte behind it, two that share a window.
    yield bytes.fromhex("c18b 00000000 000500faff48656c6c6f00")
    yield bytes.fromhex("c188 00000000 f348cdc9c9070000")
    yield bytes.fromhex("c18d 00000000 f248cdc9c907000000ffff0200")
    for payload in (b"a" * 20, b"a" * 21, b"ab" * 5000, bytes(69_000), "€".encode() * 99, b"ok \xff", b"\xe2\x82"):
        yield _frame(Opcode.TEXT, deflated(payload), is_compressed=True)
    yield _frame(Opcode.BINARY, deflated(bytes(9000), flushed_every=100), is_compressed=True) + _frame(Opcode.PING)
    # No deflate, half a block, nothing at all, and the bit where it must not be.
    for data in (b"\x07", b"\xf2\x48", b"", b"\x02\x07\x08\x20\x00\x00\x00"):
        yield _frame(Opcode.TEXT, data, is_compressed=True)
    yield _frame(Opcode.PING, b"?", is_compressed=True)
    yield _frame(Opcode.TEXT, is_final=False) + _frame(Opcode.CONTINUATION, b"\x00", is_compressed=True)


def _frame(opcode: Opcode, payload: bytes = b"", *, is_final: bool = True, is_compressed: bool = False) -> bytes:
    return frame(opcode, payload, is_final=is_final, is_compressed=is_compressed, key=_NO_KEY)
