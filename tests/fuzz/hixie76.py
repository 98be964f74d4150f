"""The decoder of hixie-76, fed with anything.

* Only events come out, whatever goes in; a fault is a ``Failed`` with a code.
* The events are the same however the bytes are cut, and those that a reader
  would find who has the whole stream in hand (``read_at_once``). No other
  project has a parser in Python to ask: that reader is written from the draft.
* A text is UTF-8; nothing is longer than the limit; nothing follows the end.
* What is kept between two reads is the unfinished text and one length.
"""

import re
from collections.abc import Iterable, Iterator
from math import inf
from typing import NamedTuple

from roomcast.protocol.events import Close, Event, Failed, Message
from roomcast.protocol.frames import CloseCode, Opcode
from roomcast.protocol.hixie76 import Decoder
from tests.fuzz import script
from tests.fuzz.bounds import check_words, kept_bytes, standing_rates
from tests.protocol.clients import told


class Setup(NamedTuple):
    """What a decoder is made with."""

    message_max_bytes: int
    frames_per_s: int = 0


SETUPS = (Setup(0), Setup(1), Setup(16), Setup(200), Setup(0, frames_per_s=2))

LENGTH_MAX_BYTES = 9

# "each byte holds seven bits, the highest says that another follows"
_LENGTH = re.compile(rb"[\x80-\xff]{0,8}[\x00-\x7f]")


def check(data: bytes) -> None:
    """Feed a decoder with what the input says, and hold it to its promises."""
    asked = script.read(data)
    setup = asked.choose(SETUPS)
    whole = decode([asked.stream], setup)
    assert told(decode(asked.pieces(), setup)) == told(whole), "the events depend on how the bytes are cut"
    if not setup.frames_per_s:
        expected = list(read_at_once(asked.stream, setup.message_max_bytes))
        assert say(whole) == expected, "the events are not those of the draft"
    for event in whole:
        check_event(event, setup.message_max_bytes)


def decode(pieces: Iterable[bytes], setup: Setup) -> list[Event]:
    """Return all events of a stream that arrives in these pieces, or of as much of it as is listened to."""
    limit = setup.message_max_bytes
    decoder = Decoder(message_max_bytes=limit, frame_counts=[0] * 16, rates=standing_rates(setup.frames_per_s))
    events: list[Event] = []
    arrived_bytes = 0
    for piece in pieces:
        events += decoder.receive(piece)
        arrived_bytes += len(piece)
        if decoder.is_over:
            break
        assert kept_bytes(decoder) <= LENGTH_MAX_BYTES + (limit or arrived_bytes), "more is kept than promised"
    return events


def check_event(event: Event, limit: int) -> None:
    """Make sure that one event is what its class promises."""
    match event:
        case Message(opcode, payload):
            assert opcode is Opcode.TEXT, "a message that is not text"
            assert not limit or len(payload) <= limit, "a message beyond the limit"
            assert payload.decode().encode() == payload, "a text that is not UTF-8"
        case Failed(error):
            check_words(error)
        case _:
            assert event == Close(None, ""), "an event that this dialect has not"


def say(events: list[Event]) -> list[Event | int]:
    """Return events with a fault as its code: the words are ours alone."""
    return [int(event.error.close_code) if isinstance(event, Failed) else event for event in events]


def read_at_once(stream: bytes, limit: int) -> Iterator[Event | int]:
    """Yield what a whole stream says, up to its end or its first fault, as the draft has it."""
    start = 0
    while start < len(stream):
        read = read_with_end if stream[start] < 0x80 else read_with_length
        said, end = read(stream, start, limit or inf)
        if said is not None:
            yield said
        if end is None:
            return
        start = end


def read_with_end(stream: bytes, start: int, most_bytes: float) -> tuple[Event | int | None, int | None]:
    """Return what a frame says that ends with 0xFF, if anything, and where the next one begins, if it does."""
    end = stream.find(b"\xff", start)
    payload = stream[start + 1 : end if end >= 0 else len(stream)]
    if len(payload) > most_bytes:
        return int(CloseCode.TOO_BIG), None
    if end < 0:
        return None, None
    if stream[start] != 0:
        return None, end + 1
    text = payload.decode("utf-8", "replace").encode()
    if len(text) > most_bytes:
        return int(CloseCode.TOO_BIG), None
    return Message(Opcode.TEXT, text), end + 1


def read_with_length(stream: bytes, start: int, most_bytes: float) -> tuple[Event | int | None, int | None]:
    """Return the same of a frame that begins with its length."""
    length = _LENGTH.match(stream, start + 1)
    if length is None:
        is_too_long = len(stream) - start > LENGTH_MAX_BYTES
        return int(CloseCode.PROTOCOL_ERROR) if is_too_long else None, None
    size = int("".join(f"{byte & 0x7F:07b}" for byte in length[0]), 2)
    if stream[start] == 0xFF and size == 0:
        return Close(None, ""), None
    if size > most_bytes:
        return int(CloseCode.TOO_BIG), None
    return None, length.end() + size


def seeds() -> Iterator[bytes]:
    """Yield the inputs to begin with: each type of frame, the lengths, and what is refused."""
    for stream in (
        b"\x00hello\xff\x00\xff",
        b"\x00" + "drei: € 𝄞".encode() + b"\xff",
        b"\x00ok \xc0\xaf \xed\xa0\x80\xff",
        b"\x01ignored\xff\x7f\xff\x00next\xff",
        b"\x80\x03abc\x00next\xff",
        b"\x80\x81\x00" + bytes(128) + b"\xff\x00after",
        b"\xff\x01a\xff\x80\x80\x00",
        b"\xff\x00",
        b"\x80" + b"\x80" * 9,
        b"\x80" + b"\xff" * 8 + b"\x7f",
        b"\x00" + b"x" * 201,
    ):
        yield script.write(stream)
        yield script.write(stream, 1, choice=2)
        yield script.write(stream, 3, 2, choice=3)
    yield script.write(b"\x80\x00" * 3 + b"\x01\xff" * 2, 3, choice=4)
