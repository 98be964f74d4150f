from __future__ import annotations

import base64

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from roomcast.protocol.event_stream import (
    KEEP_ALIVE,
    accept,
    begin,
    binary_event,
    is_wanted,
    notice_event,
    text_event,
)
from roomcast.protocol.notices import Notice
from roomcast.protocol.request import Request
from tests.event_source import Event, EventSource

POSITION = "k7c2m9qa:41"


def read(stream: bytes) -> list[Event]:
    return EventSource().receive(stream)


# --- who asks for one


@pytest.mark.parametrize(
    "accepted",
    [
        ["text/event-stream"],
        ["TEXT/Event-Stream"],
        ["text/html, text/event-stream;q=0.5"],
        ["text/event-stream ; q=1"],
        ["text/event-stream;q=0.001"],
        ["text/event-stream;charset=utf-8"],
        ["text/html;q=0", "text/event-stream"],
        ['text/html;a="b, text/html",\ttext/event-stream'],
    ],
)
def test_whoever_names_it_wants_an_event_stream(accepted: list[str]) -> None:
    assert is_wanted(Request("/", tuple(("accept", value) for value in accepted)))


@pytest.mark.parametrize(
    "accepted",
    [
        [],
        [""],
        ["*/*"],
        ["text/*"],
        ["text/event-stream;q=0"],
        ["text/event-stream; q=0.000"],
        ["text/event-stream;charset=utf-8;Q=0.0"],
        ["text/event-streams"],
        ["application/json, text/event-stream;q=0, */*"],
    ],
)
def test_whoever_does_not_name_it_or_says_no_does_not_want_one(accepted: list[str]) -> None:
    assert not is_wanted(Request("/", tuple(("accept", value) for value in accepted)))


# --- the answer


def test_answer_has_no_length_and_is_neither_kept_nor_gathered_on_its_way() -> None:
    assert accept([("Vary", "Origin")]) == (
        b"HTTP/1.1 200 OK\r\n"
        b"Content-Type: text/event-stream\r\n"
        b"Cache-Control: no-store, no-transform\r\n"
        b"X-Accel-Buffering: no\r\n"
        b"X-Content-Type-Options: nosniff\r\n"
        b"Vary: Origin\r\n"
        b"Connection: close\r\n"
        b"\r\n"
    )


def test_header_that_would_begin_another_line_is_refused() -> None:
    with pytest.raises(ValueError, match="would not stay on its line"):
        accept([("Vary", "Origin\r\nSet-Cookie: a=b")])


# --- events


def test_stream_says_at_its_begin_where_it_is_and_nothing_is_dispatched() -> None:
    source = EventSource()

    assert source.receive(begin(POSITION, 2000)) == []
    assert (source.last_event_id, source.reconnection_time_ms) == (POSITION, 2000)


def test_text_is_a_message_at_its_position() -> None:
    stream = text_event("für dich".encode(), POSITION)

    assert stream == "id: k7c2m9qa:41\ndata: für dich\n\n".encode()
    assert read(stream) == [("message", "für dich", POSITION)]


def test_text_without_a_position_leaves_the_client_where_it_was() -> None:
    assert text_event(b"welcome") == b"data: welcome\n\n"
    assert begin("", 2000) == b"retry: 2000\n\n"
    assert read(begin(POSITION, 0) + text_event(b"welcome")) == [("message", "welcome", POSITION)]


@pytest.mark.parametrize(
    "text", ["", " ", "  two", ":", "data: x", "id: 7", "\ufeffmark", "\0", "a\n", "\n", "\n\n", "a\nb"]
)
def test_text_that_looks_like_the_stream_itself_is_read_back_as_it_was(text: str) -> None:
    assert read(text_event(text.encode(), POSITION)) == [("message", text, POSITION)]


@pytest.mark.parametrize("text", ["a\rb", "a\r\nb", "\r", "a\r", "\r\n\r\r\n"])
def test_every_line_end_is_read_back_as_a_line_feed(text: str) -> None:
    [event] = read(text_event(text.encode(), POSITION))

    assert event.data == text.replace("\r\n", "\n").replace("\r", "\n")


@given(st.lists(st.text()), st.integers(1, 7))
@example(["a\r", "\nb"], 1)
def test_any_text_is_read_back_but_for_its_carriage_returns_however_the_bytes_arrive(
    texts: list[str], size: int
) -> None:
    stream = b"".join(text_event(text.encode(), f"k7c2m9qa:{offset}") for offset, text in enumerate(texts))
    source = EventSource()

    events = [event for at in range(0, len(stream), size) for event in source.receive(stream[at : at + size])]

    expected = [text.replace("\r\n", "\n").replace("\r", "\n") for text in texts]
    assert events == [("message", text, f"k7c2m9qa:{offset}") for offset, text in enumerate(expected)]


@given(st.binary())
def test_bytes_are_an_event_of_their_own_type_in_base64(payload: bytes) -> None:
    [event] = read(binary_event(payload, POSITION))

    assert (event.type, event.last_event_id) == ("binary", POSITION)
    assert base64.b64decode(event.data, validate=True) == payload


def test_event_about_the_stream_keeps_the_position_and_may_say_when_to_come_back() -> None:
    source = EventSource()
    source.receive(begin(POSITION, 2000))

    assert source.receive(notice_event(Notice("goodbye", {"reason": "restart"}), retry_ms=1200)) == [
        ("goodbye", '{"reason":"restart"}', POSITION)
    ]
    assert source.reconnection_time_ms == 1200
    assert notice_event(Notice("gap", {"a": 1, "b": 2})) == b'event: gap\ndata: {"a":1,"b":2}\n\n'


def test_keep_alive_is_a_comment() -> None:
    source = EventSource()

    assert source.receive(KEEP_ALIVE) == []
    assert source.comments == 1
