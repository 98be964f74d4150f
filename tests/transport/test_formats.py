"""How a room's messages look to each dialect and each window of compression, and where they are counted."""

from __future__ import annotations

import zlib

import pytest

from roomcast.metrics import TransportCounters
from roomcast.protocol.deflate import Agreement
from roomcast.protocol.errors import HandshakeError
from roomcast.protocol.handshake import Dialect
from roomcast.protocol.request import Request
from roomcast.relay.message import Kind, Message
from roomcast.transport.formats import DeflateFormat, Deflation, DialectFormat, Formats, Hixie76Format, Rfc6455Format
from tests.idle import idle_counters

TEXT = "naïve".encode()


@pytest.fixture
def counters() -> TransportCounters:
    return idle_counters()


def encoded(wire_format: DialectFormat, kind: Kind, payload: bytes) -> bytes:
    """Return what a room's message of this kind looks like."""
    frame = wire_format.encode(said(kind, payload))
    assert frame is not None
    return frame


def said(kind: Kind, payload: bytes) -> Message:
    return Message("/rooms/a", 1, kind, payload, None, 0.0)


def test_rfc6455_carries_text_and_binary(counters: TransportCounters) -> None:
    wire_format = Rfc6455Format(counters)

    assert encoded(wire_format, Kind.TEXT, TEXT) == b"\x81\x06" + TEXT
    assert encoded(wire_format, Kind.BINARY, b"\xff") == b"\x82\x01\xff"


def test_hixie76_carries_text_only(counters: TransportCounters) -> None:
    wire_format = Hixie76Format(counters)

    assert encoded(wire_format, Kind.TEXT, TEXT) == b"\x00" + TEXT + b"\xff"
    assert wire_format.encode(said(Kind.BINARY, b"a")) is None


def test_frames_are_counted_by_the_opcode_that_is_their_kind_s_number(counters: TransportCounters) -> None:
    rfc6455, hixie76 = Rfc6455Format(counters), Hixie76Format(counters)

    rfc6455.frames_sent[Kind.BINARY] += 2
    hixie76.frames_sent[Kind.TEXT] += 1

    assert counters.frames_sent[Dialect.RFC6455][:3] == [0, 0, 2]
    assert counters.frames_sent[Dialect.HIXIE76][:3] == [0, 1, 0]


# Compressed

AS_SET = Deflation(level=1, min_bytes=256)
WORDY = b"It was the best of times, it was the worst of times, " * 5


def inflated(frame: bytes) -> bytes:
    """The message in a frame with a length of one byte, which says that it is compressed."""
    assert frame[0] & 0x70 == 0x40
    return zlib.decompressobj(-15).decompress(frame[2:] + b"\x00\x00\xff\xff")


def test_message_is_compressed_where_it_is_long_enough(counters: TransportCounters) -> None:
    wire_format = DeflateFormat(15, AS_SET, counters)

    text, binary = (encoded(wire_format, kind, WORDY[:256]) for kind in (Kind.TEXT, Kind.BINARY))

    assert (text[0], binary[0]) == (0xC1, 0xC2)
    assert len(text) == len(binary) < 100
    assert inflated(text) == inflated(binary) == WORDY[:256]


def test_message_one_byte_shorter_goes_out_as_it_is(counters: TransportCounters) -> None:
    wire_format = DeflateFormat(15, AS_SET, counters)

    assert encoded(wire_format, Kind.TEXT, WORDY[:255]) == b"\x81\x7e\x00\xff" + WORDY[:255]
    assert counters.deflated_messages == 0


def test_message_that_does_not_shrink_goes_out_as_it_is(counters: TransportCounters) -> None:
    wire_format = DeflateFormat(15, Deflation(level=9, min_bytes=1), counters)
    noise = bytes(range(256))

    assert encoded(wire_format, Kind.BINARY, noise) == b"\x82\x7e\x01\x00" + noise
    assert encoded(wire_format, Kind.TEXT, b"a") == b"\x81\x01a"
    assert encoded(wire_format, Kind.TEXT, b"") == b"\x81\x00"


def test_what_compression_does_is_counted(counters: TransportCounters) -> None:
    wire_format = DeflateFormat(15, AS_SET, counters)
    noise = bytes(range(256))

    encoded(wire_format, Kind.BINARY, noise)
    deflated = encoded(wire_format, Kind.TEXT, WORDY)

    assert counters.deflated_messages == 2
    assert counters.deflate_input_bytes == len(noise) + len(WORDY)
    assert counters.deflate_output_bytes == len(noise) + len(deflated) - 2


def request(*offers: str) -> Request:
    return Request("/rooms/lobby", tuple(("sec-websocket-extensions", offer) for offer in offers))


def test_members_who_agreed_to_one_window_share_a_format(counters: TransportCounters) -> None:
    formats = Formats(counters, AS_SET)

    named = formats.negotiate(request("permessage-deflate; server_max_window_bits=15"), Dialect.RFC6455)
    unnamed = formats.negotiate(request("permessage-deflate"), Dialect.RFC6455)
    small = formats.negotiate(request("permessage-deflate; server_max_window_bits=9"), Dialect.RFC6455)

    assert formats.find(Dialect.RFC6455, named) is formats.find(Dialect.RFC6455, unnamed)
    assert formats.find(Dialect.RFC6455, small) is formats.find(Dialect.RFC6455, small)
    assert formats.find(Dialect.RFC6455, small) is not formats.find(Dialect.RFC6455, named)
    assert formats.find(Dialect.RFC6455, named).may_inflate


def test_settings_that_come_back_find_their_format_and_others_have_their_own(counters: TransportCounters) -> None:
    agreement = Agreement(window_bits=9)
    formats = Formats(counters, Deflation(level=1, min_bytes=1))
    first = formats.find(Dialect.RFC6455, agreement, is_json=True)

    formats.change(Deflation(level=1, min_bytes=2))
    second = formats.find(Dialect.RFC6455, agreement, is_json=True)
    made = len(counters.formats)
    formats.change(None)
    formats.change(Deflation(level=1, min_bytes=1))

    assert second is not first
    assert formats.find(Dialect.RFC6455, agreement, is_json=True) is first
    assert len(counters.formats) == made


def test_format_is_made_when_somebody_asks_for_it(counters: TransportCounters) -> None:
    formats = Formats(counters, AS_SET)
    assert len(counters.formats) == 2

    formats.find(Dialect.RFC6455, Agreement(12))

    assert len(counters.formats) == 3


@pytest.mark.parametrize("dialect", Dialect)
def test_who_agreed_to_nothing_is_spoken_to_plainly(counters: TransportCounters, dialect: Dialect) -> None:
    formats = Formats(counters, AS_SET)

    assert formats.negotiate(request(), dialect) is None
    assert formats.find(dialect).dialect is dialect
    assert not formats.find(dialect).may_inflate


def test_hixie76_has_no_extensions_to_negotiate(counters: TransportCounters) -> None:
    assert Formats(counters, AS_SET).negotiate(request("permessage-deflate", ";"), Dialect.HIXIE76) is None


def test_offers_are_read_and_declined_where_compression_is_off(counters: TransportCounters) -> None:
    formats = Formats(counters)

    assert formats.negotiate(request("permessage-deflate"), Dialect.RFC6455) is None
    assert not formats.find(Dialect.RFC6455, Agreement(15)).may_inflate
    with pytest.raises(HandshakeError):
        formats.negotiate(request("permessage-deflate;"), Dialect.RFC6455)
