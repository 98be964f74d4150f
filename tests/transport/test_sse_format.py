from __future__ import annotations

from roomcast.relay.message import Kind, Message
from roomcast.transport.sse_format import SseFormat
from tests.idle import idle_counters


def message(kind: Kind, payload: bytes) -> Message:
    return Message("/rooms/lobby", 41, kind, payload, None, 0.0)


def test_message_is_an_event_at_its_position() -> None:
    wire_format = SseFormat("k7c2m9qa", idle_counters())

    assert wire_format.encode(message(Kind.TEXT, b"hello")) == b"id: k7c2m9qa:41\ndata: hello\n\n"
    assert wire_format.encode(message(Kind.BINARY, b"\0")) == b"id: k7c2m9qa:41\nevent: binary\ndata: AA==\n\n"


def test_rooms_count_here_what_became_of_the_events() -> None:
    counters = idle_counters()
    wire_format = SseFormat("k7c2m9qa", counters)

    assert [wire_format.frames_sent[kind] for kind in Kind] == [0, 0]
    assert wire_format in counters.formats
