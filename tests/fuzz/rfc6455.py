"""The decoder of RFC 6455, fed with anything.

* Only events come out, whatever goes in; a fault is a ``Failed`` with a code.
* The events are the same however the bytes are cut.
* A text is UTF-8; nothing is longer than the limits; nothing follows the end.
* What is kept between two reads is the unfinished message and one header, and
  never more than has arrived.
* Messages and verdict are those of ``websockets`` at the end of each frame,
  but for what ``exemptions.py`` lists.
"""

from collections.abc import Iterable, Iterator

from roomcast.protocol.errors import FrameError
from roomcast.protocol.events import Close, Event, Failed, Message, Ping, Pong
from roomcast.protocol.frames import CONTROL_PAYLOAD_MAX_BYTES, CloseCode, Opcode, may_be_received
from roomcast.protocol.rfc6455 import Decoder
from tests.fuzz import script
from tests.fuzz.bounds import check_words, kept_bytes
from tests.fuzz.witness import check_agreement
from tests.protocol.clients import frame, told

LIMITS = ((0, 0), (64, 0), (125, 3), (126, 0), (1000, 2), (0xFFFF, 0), (70_000, 4))
"""``message_max_bytes`` and ``fragments_max``: none, the short lengths, the edges of the long ones."""

HEADER_MAX_BYTES = 14
"""Two bytes, eight of length, the key."""

_FAULTS = {CloseCode.PROTOCOL_ERROR, CloseCode.NOT_UTF8, CloseCode.TOO_BIG}
_NO_KEY = bytes(4)


def check(data: bytes) -> None:
    """Feed a decoder with what the input says, and hold it to its promises."""
    asked = script.read(data)
    limits = asked.choose(LIMITS)
    whole = decode([asked.stream], limits)
    assert told(decode(asked.pieces(), limits)) == told(whole), "the events depend on how the bytes are cut"
    for event in whole[:-1]:
        assert not isinstance(event, (Close, Failed)), "something follows the end"
    for event in whole:
        check_event(event, limits[0])
    if not limits[1]:
        check_agreement(asked.stream, message_max_bytes=limits[0])


def decode(pieces: Iterable[bytes], limits: tuple[int, int]) -> list[Event]:
    """Return all events of a stream that arrives in these pieces, or of as much of it as is listened to."""
    counts = [0] * 16
    decoder = Decoder(message_max_bytes=limits[0], fragments_max=limits[1], frame_counts=counts)
    events: list[Event] = []
    arrived_bytes = 0
    for piece in pieces:
        events += decoder.receive(piece)
        arrived_bytes += len(piece)
        if decoder.is_over:
            break
        most_bytes = HEADER_MAX_BYTES + max(CONTROL_PAYLOAD_MAX_BYTES, limits[0] or arrived_bytes)
        assert kept_bytes(decoder) <= min(most_bytes, arrived_bytes + HEADER_MAX_BYTES), "more is kept than promised"
    assert sum(counts) >= sum(not isinstance(event, Failed) for event in events), "an event without a frame"
    return events


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


def _frame(opcode: Opcode, payload: bytes = b"", *, is_final: bool = True) -> bytes:
    return frame(opcode, payload, is_final=is_final, key=_NO_KEY)
