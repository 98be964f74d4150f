"""Server-sent events: from the bytes of a ``text/event-stream`` to events.

Two things are odd about the format. A line may end in CR, LF or CRLF, so a CR at the
end of what has arrived is an end already, and an LF that follows it is nothing. And an
id outlives its event: it holds until another comes, also when it came with no data.

What a stream may cost is bounded, since a terminal may be left open for weeks before
a server that it does not know. Bytes in, events out: nothing here reads a socket or a clock.

Source: the HTML standard, section 9.2.5, "Parsing an event stream" and 9.2.6,
"Interpreting an event stream".
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_LINE_END = re.compile(rb"\r\n?|\n")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# Ten of them are months, in milliseconds; Python reads no number of more than a few thousand.
_RETRY_MAX_DIGITS = 10


class SseError(ValueError):
    """The stream is longer somewhere than it may be. The text says where, and by which limit."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event: what an ``EventSource`` would hand to its listeners."""

    type: str
    data: str
    id: str
    """The newest id that the stream has given, with this event or before it; "" before the first."""


class SseDecoder:
    """Turns a stream into events, the same ones however its bytes are cut.

    Args:
        line_max_bytes: The longest line, its end not counted.
        event_max_bytes: The most data in one event, over all of its lines.
    """

    def __init__(self, *, line_max_bytes: int, event_max_bytes: int) -> None:
        self._line_max_bytes = line_max_bytes
        self._event_max_bytes = event_max_bytes
        self._buffer = bytearray()
        self._searched = 0
        self._is_first_line = True
        self._is_after_cr = False
        self._type = ""
        self._data: list[str] = []
        self._data_bytes = 0
        self._id = ""
        self.last_id = ""
        """What a client that comes back says in ``Last-Event-ID``."""
        self.retry_ms: int | None = None
        """How long the server wants it to wait before that, where it has said so."""

    def receive(self, data: bytes) -> Iterator[Event]:
        """Yield the events that end in these bytes. They are to be taken to the last before the next call.

        Raises:
            SseError: For a line or an event that is too long; behind all events before it.
        """
        if self._is_after_cr and data:
            data = data.removeprefix(b"\n")
            self._is_after_cr = False
        self._buffer += data
        for line in self._lines():
            if event := self._take(line):
                yield event

    def _lines(self) -> Iterator[bytes]:
        start = 0
        # What was searched before holds no end: a server that drips one byte at a time must not
        # have us look through a long line once for each of them.
        while end := _LINE_END.search(self._buffer, max(start, self._searched)):
            line = bytes(self._buffer[start : end.start()])
            self._check_line(len(line))
            start = end.end()
            self._is_after_cr = start == len(self._buffer) and end[0] == b"\r"
            yield line
        del self._buffer[:start]
        self._searched = len(self._buffer)
        self._check_line(self._searched)

    def _check_line(self, length: int) -> None:
        if length > self._line_max_bytes:
            raise SseError(f"a line of the event stream is longer than {self._line_max_bytes} bytes")

    def _take(self, line: bytes) -> Event | None:
        if self._is_first_line:
            line = line.removeprefix(_BYTE_ORDER_MARK)
            self._is_first_line = False
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        # "If value starts with a U+0020 SPACE character, remove it": one, and no more.
        self._set(name, value.removeprefix(b" "))
        return None

    def _set(self, name: bytes, value: bytes) -> None:
        # A comment has no name, and what is not known is ignored.
        match name:
            case b"data":
                self._add_data(value)
            case b"event":
                self._type = value.decode("utf-8", "replace")
            case b"id" if b"\0" not in value:
                self._id = value.decode("utf-8", "replace")
            case b"retry" if value.isdigit() and len(value) <= _RETRY_MAX_DIGITS:
                self.retry_ms = int(value)

    def _add_data(self, value: bytes) -> None:
        # Each line counts one byte more than it holds, or a stream of empty ones would cost without limit.
        self._data_bytes += len(value) + 1
        if self._data_bytes > self._event_max_bytes + 1:
            raise SseError(f"an event holds more than {self._event_max_bytes} bytes of data")
        self._data.append(value.decode("utf-8", "replace"))

    def _dispatch(self) -> Event | None:
        # Not before: a client that was cut off between an id and its data has not heard that event.
        self.last_id = self._id
        # Without a single data line there is no event, whatever else was said; with one that is empty there is.
        event = Event(self._type or "message", "\n".join(self._data), self.last_id) if self._data else None
        self._type, self._data, self._data_bytes = "", [], 0
        return event
