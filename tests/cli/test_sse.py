"""Server-sent events: the standard's own examples, streams cut anywhere, and what is too long."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomcast.cli.sse import Event, SseDecoder, SseError
from tests.event_source import EventSource


def decoder(*, line_max_bytes: int = 1000, event_max_bytes: int = 1000) -> SseDecoder:
    return SseDecoder(line_max_bytes=line_max_bytes, event_max_bytes=event_max_bytes)


def events(stream: bytes) -> list[Event]:
    return list(decoder().receive(stream))


def messages(stream: bytes) -> list[str]:
    return [event.data for event in events(stream)]


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"data: YHOO\ndata: +2\ndata: 10\n\n", ["YHOO\n+2\n10"]),
        (b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\n", ["first event", "second event"]),
        (b"data:  third event\n\n", [" third event"]),
        (b"data\n\ndata\ndata\n\ndata:", ["", "\n"]),
        (b"data:test\n\ndata: test\n\n", ["test", "test"]),
    ],
)
def test_examples_of_the_standard_mean_what_it_says(stream: bytes, expected: list[str]) -> None:
    assert messages(stream) == expected


def test_event_has_its_type_and_the_next_has_not() -> None:
    assert [event.type for event in events(b"event: gap\ndata\n\ndata\n\n")] == ["gap", "message"]


def test_id_holds_until_another_comes() -> None:
    stream = b"id: e:1\n\ndata: a\n\nid: e:2\ndata: b\n\nid\ndata: c\n\n"

    assert [event.id for event in events(stream)] == ["e:1", "e:2", ""]


def test_id_with_a_nul_is_none() -> None:
    assert events(b"id: 1\nid: a\0b\ndata\n\n")[0].id == "1"


def test_position_and_pause_are_known_without_an_event() -> None:
    reader = decoder()

    assert list(reader.receive(b"retry: 2000\nid: k7c2m9qa:41\n\n")) == []

    assert (reader.retry_ms, reader.last_id) == (2000, "k7c2m9qa:41")


def test_id_whose_event_was_cut_off_is_not_the_last() -> None:
    reader = decoder()

    assert list(reader.receive(b"id: 1\ndata: a\n\nid: 2\ndata: b\n")) == [Event("message", "a", "1")]

    assert reader.last_id == "1"


@pytest.mark.parametrize("value", [b"", b"-1", b"1.5", b"2s", "²".encode(), b"9" * 11, b"9" * 900])
def test_pause_that_is_no_number_is_ignored(value: bytes) -> None:
    reader = decoder()

    assert list(reader.receive(b"retry: 5\nretry: " + value + b"\n\n")) == []

    assert reader.retry_ms == 5


def test_comments_and_unknown_names_are_ignored() -> None:
    assert messages(b":\n\n: data: a\n\nDATA: b\nother: c\n data: d\n\n") == []


def test_event_without_its_end_is_none() -> None:
    assert messages(b"data: a\n\ndata: b\n") == ["a"]


def test_byte_order_mark_is_ignored_at_the_beginning_only() -> None:
    assert messages(b"\xef\xbb\xbfdata: a\n\n\xef\xbb\xbfdata: b\n\n") == ["a"]


def test_bytes_that_are_no_utf8_are_replaced() -> None:
    assert messages(b"data: a\xffb\n\n") == ["a\ufffdb"]


LINE_ENDS = st.sampled_from([b"\n", b"\r", b"\r\n"])
LINES = st.sampled_from(
    [b"", b"data: a", b"data", "data:é".encode(), b"id: 1", b"id:\0", b"event: gap", b":", b"retry: 7", b"\xef\xbb\xbf"]
)
STREAMS = st.lists(st.tuples(LINES, LINE_ENDS), max_size=20).map(lambda parts: b"".join(map(b"".join, parts)))


def outcome(reader: SseDecoder, pieces: list[bytes]) -> tuple[list[Event], str, str, int | None]:
    """Return all that a client learns of a stream: its events, what ended it, and where it would go on."""
    found: list[Event] = []
    error = ""
    try:
        for piece in pieces:
            found.extend(event for event in reader.receive(piece))
    except SseError as too_long:
        error = str(too_long)
    return found, error, reader.last_id, reader.retry_ms


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    ends = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:end] for start, end in pairwise(ends)]


@given(stream=STREAMS, places=st.lists(st.integers(0, 1000), max_size=30))
def test_events_do_not_depend_on_how_the_bytes_arrive(stream: bytes, places: list[int]) -> None:
    assert outcome(decoder(), cut(stream, places)) == outcome(decoder(), [stream])


@given(stream=st.binary(max_size=200), places=st.lists(st.integers(0, 1000), max_size=30))
def test_any_bytes_mean_the_same_however_they_are_cut_and_stay_within_the_limits(
    stream: bytes, places: list[int]
) -> None:
    def small() -> SseDecoder:
        return decoder(line_max_bytes=8, event_max_bytes=4)

    found, *rest = outcome(small(), cut(stream, places))

    assert (found, *rest) == outcome(small(), [bytes([byte]) for byte in stream])
    assert all(len(event.data) <= 4 for event in found)


@given(stream=STREAMS)
def test_another_reader_of_the_standard_finds_the_same_events(stream: bytes) -> None:
    # Half a line behind it: the other one waits, behind a CR, for the LF that may follow.
    found = EventSource().receive(stream + b":")

    assert [(event.type, event.data, event.id) for event in events(stream)] == found


@given(stream=STREAMS)
def test_every_line_end_means_the_same(stream: bytes) -> None:
    lines = stream.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    assert events(lines) == events(lines.replace(b"\n", b"\r")) == events(lines.replace(b"\n", b"\r\n"))


def test_line_may_be_as_long_as_the_limit() -> None:
    assert list(decoder(line_max_bytes=7).receive(b"data: a\n\n")) == [Event("message", "a", "")]


def test_line_too_long_is_refused_before_its_end_arrives() -> None:
    with pytest.raises(SseError, match="a line of the event stream is longer than 7 bytes"):
        list(decoder(line_max_bytes=7).receive(b"data: ab"))


def test_event_may_hold_as_much_as_the_limit() -> None:
    assert [event.data for event in decoder(event_max_bytes=3).receive(b"data: a\ndata: b\n\n")] == ["a\nb"]


@pytest.mark.parametrize("stream", [b"data: a\ndata: bc\n", b"data\n" * 5])
def test_event_too_long_is_refused_before_its_end_arrives(stream: bytes) -> None:
    with pytest.raises(SseError, match="an event holds more than 3 bytes of data"):
        list(decoder(event_max_bytes=3).receive(stream))


def test_events_before_what_is_too_long_are_not_lost() -> None:
    found, error, *_ = outcome(decoder(line_max_bytes=7), [b"data: a\n\ndata: much too long\n\n"])

    assert found == [Event("message", "a", "")]
    assert error
