"""How a room's messages look to each dialect, and where they are counted."""

from __future__ import annotations

import pytest

from roomcast.metrics import TransportCounters
from roomcast.protocol.handshake import Dialect
from roomcast.relay.message import Kind
from roomcast.transport.formats import Hixie76Format, Rfc6455Format
from tests.idle import idle_counters

TEXT = "naïve".encode()


@pytest.fixture
def counters() -> TransportCounters:
    return idle_counters()


def test_rfc6455_carries_text_and_binary(counters: TransportCounters) -> None:
    wire_format = Rfc6455Format(counters)

    assert wire_format.encode(Kind.TEXT, TEXT) == b"\x81\x06" + TEXT
    assert wire_format.encode(Kind.BINARY, b"\xff") == b"\x82\x01\xff"


def test_hixie76_carries_text_only(counters: TransportCounters) -> None:
    wire_format = Hixie76Format(counters)

    assert wire_format.encode(Kind.TEXT, TEXT) == b"\x00" + TEXT + b"\xff"
    assert wire_format.encode(Kind.BINARY, b"a") is None


def test_frames_are_counted_by_the_opcode_that_is_their_kind_s_number(counters: TransportCounters) -> None:
    rfc6455, hixie76 = Rfc6455Format(counters), Hixie76Format(counters)

    rfc6455.frames_sent[Kind.BINARY] += 2
    hixie76.frames_sent[Kind.TEXT] += 1

    assert counters.frames_sent[Dialect.RFC6455][:3] == [0, 0, 2]
    assert counters.frames_sent[Dialect.HIXIE76][:3] == [0, 1, 0]
