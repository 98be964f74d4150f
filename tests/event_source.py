"""A client of event streams, built apart from the code under test: it reads as the HTML standard says, step by step."""

from __future__ import annotations

import base64
import json
from typing import Any, NamedTuple

from tests.wire import Wire, get


class Event(NamedTuple):
    """What a page gets: the type of the event, its data, and the ``lastEventId`` at that moment."""

    type: str
    data: str
    last_event_id: str


class EventSource:
    """The reader of one stream (HTML, 9.2.6, "Interpreting an event stream")."""

    def __init__(self) -> None:
        self.last_event_id = ""
        self.reconnection_time_ms = 3000
        self.comments = 0
        self._unread = b""
        self._is_first = True
        self._data = self._type = self._last_event_id = ""

    def receive(self, data: bytes) -> list[Event]:
        """Take what arrived; return the events that are dispatched."""
        self._unread += data
        events: list[Event] = []
        while (line := self._take_line()) is not None:
            text = line.decode("utf-8", "replace")
            if self._is_first:
                # "The UTF-8 decode algorithm strips one leading UTF-8 Byte Order Mark (BOM), if any."
                text, self._is_first = text.removeprefix("\ufeff"), False
            events += self._interpret(text)
        return events

    def _take_line(self) -> bytes | None:
        ends = [end for end in (self._unread.find(b"\r"), self._unread.find(b"\n")) if end >= 0]
        if not ends or (self._unread[min(ends) :] == b"\r"):
            # A CR at the end may be the half of a CRLF.
            return None
        line, rest = self._unread[: min(ends)], self._unread[min(ends) :]
        self._unread = rest.removeprefix(b"\r\n") if rest.startswith(b"\r\n") else rest[1:]
        return line

    def _interpret(self, line: str) -> list[Event]:
        if not line:
            return self._dispatch()
        if line.startswith(":"):
            self.comments += 1
            return []
        field, _, value = line.partition(":")
        self._process(field, value.removeprefix(" "))
        return []

    def _process(self, field: str, value: str) -> None:
        if field == "event":
            self._type = value
        elif field == "data":
            self._data += value + "\n"
        elif field == "id" and "\0" not in value:
            self._last_event_id = value
        elif field == "retry" and value.isascii() and value.isdigit():
            self.reconnection_time_ms = int(value)

    def _dispatch(self) -> list[Event]:
        self.last_event_id = self._last_event_id
        kind, data = self._type, self._data
        self._type = self._data = ""
        return [Event(kind or "message", data.removesuffix("\n"), self.last_event_id)] if data else []


class EventStream:
    """A connection that was answered with an event stream.

    Args:
        wire: Where the head of the answer has been read.
        headers: Of that head.
    """

    def __init__(self, wire: Wire, headers: dict[str, str]) -> None:
        self.wire = wire
        self.headers = headers
        self.source = EventSource()
        self._events: list[Event] = []

    def _read(self) -> None:
        if self.headers.get("transfer-encoding") != "chunked":
            self._events += self.source.receive(self.wire.read_some())
            return
        # The relay sends none; a proxy may put them in.
        size = int(self.wire.read_until(b"\r\n"), 16)
        if not size:
            raise EOFError("the last chunk has come")
        self._events += self.source.receive(self.wire.read(size + 2)[:-2])

    def next(self) -> Event:
        """Return the next event. Raises EOFError at the end of the stream."""
        while not self._events:
            self._read()
        return self._events.pop(0)

    def hear(self) -> str | bytes:
        """Return the next message, which must come next."""
        event = self.next()
        if event.type == "binary":
            return base64.b64decode(event.data, validate=True)
        assert event.type == "message", event
        return event.data

    def told(self, kind: str) -> Any:
        """Return what an event about the stream says, which must come next."""
        event = self.next()
        assert event.type == kind, event
        return json.loads(event.data)

    def begin(self) -> str:
        """Read until it is known where the stream begins, and return that."""
        while not self.source.last_event_id:
            self._read()
        return self.source.last_event_id

    def comment(self) -> None:
        """Wait for the next comment."""
        comments = self.source.comments
        while self.source.comments == comments:
            self._read()


def stream_head(path: str = "/rooms/lobby", *lines: str) -> bytes:
    """Return the request for an event stream; ``lines`` are further header lines."""
    return get(path, "Accept: text/event-stream", *lines)


def open_stream(wire: Wire, path: str = "/rooms/lobby", *lines: str) -> EventStream:
    """Ask for an event stream, which must be granted."""
    wire.send(stream_head(path, *lines))
    status, headers = wire.read_head()
    assert status == 200, (status, headers, wire.read_to_end())
    return EventStream(wire, headers)
