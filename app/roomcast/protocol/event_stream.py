"""A room as an event stream: Server-Sent Events, which a browser reads with ``new EventSource(url)``.

It is no dialect of WebSocket: an answer to a plain GET that never ends, in one direction,
of text. What is odd about it:

* It is made of lines, and to it CR, LF and both together are one line end. A text is sent
  as one ``data`` line for each of its lines, and read back with LF between them: **a CR
  does not survive**.
* It has no bytes. A binary message is an event of the type ``binary``, in base64.
* A line that begins with a colon is a comment. We send empty ones, so that proxies do not
  take a quiet room for a dead connection; nobody answers them.
* A position is kept by the browser: the last ``id`` that it has read comes back as
  ``Last-Event-ID`` when it connects again. An ``id`` without any data is kept as well, though
  nothing is dispatched: "Set the last event ID string" is the first step, and "If the data
  buffer is an empty string … return" the second. So a stream says at its begin where it is.

Bytes and values in, bytes and values out.

Source: HTML (html.spec.whatwg.org), sections 9.2.4 to 9.2.7, "Server-sent events".
"""

from __future__ import annotations

import json
import re
from binascii import b2a_base64
from collections.abc import Sequence

from roomcast.protocol.http import head
from roomcast.protocol.notices import Notice
from roomcast.protocol.request import Request

NAME = "sse"
"""What the settings, the metrics and the log call it, beside the names of the dialects."""

MEDIA_TYPE = "text/event-stream"

KEEP_ALIVE = b":\n\n"
"""An event of nothing but a comment."""

# RFC 9110, 12.4.2: a weight, of which 0 means "not acceptable".
_UNWANTED = re.compile(r"[ \t]*q=0(?:\.0{0,3})?[ \t]*", re.IGNORECASE)

HEADERS = (
    ("Content-Type", MEDIA_TYPE),
    # No cache may keep it, and no proxy compress it: that would gather what it should pass on.
    ("Cache-Control", "no-store, no-transform"),
    # nginx would gather it as well, and is told so by the answer alone.
    ("X-Accel-Buffering", "no"),
    ("X-Content-Type-Options", "nosniff"),
)
"""Of every event stream."""


def is_wanted(request: Request) -> bool:
    """Tell whether a GET asks for an event stream: by name, for ``*/*`` is what everybody sends."""
    ranges = ",".join(request.all("accept")).split(",")
    return any(_names_it(media_range) for media_range in ranges)


def _names_it(media_range: str) -> bool:
    media_type, *parameters = media_range.split(";")
    return media_type.strip(" \t").lower() == MEDIA_TYPE and not any(map(_UNWANTED.fullmatch, parameters))


def accept(headers: Sequence[tuple[str, str]] = ()) -> bytes:
    """Return the head of the answer: its body is the stream, to the end of the connection.

    Args:
        headers: To be sent beside those of every event stream.

    Raises:
        ValueError: If one of them could end its line and begin another.
    """
    return head(200, (*HEADERS, *headers, ("Connection", "close")))


def begin(position: str, retry_ms: int) -> bytes:
    """Return what comes first: when to come back after an end, and what to ask for then.

    Args:
        position: ``epoch:offset``, of what the client has if it has nothing yet; "" of a stream without positions.
        retry_ms: How long it waits before it connects again.
    """
    return b"retry: %d\n%b\n" % (retry_ms, _id(position))


def text_event(text: bytes, position: str = "") -> bytes:
    """Return a text as an event of the type ``message``, which is the default.

    Args:
        text: UTF-8.
        position: Where the client is when it has read it; "" leaves it where it was.
    """
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if b"\n" in text:
        text = text.replace(b"\n", b"\ndata: ")
    return b"%bdata: %b\n\n" % (_id(position), text)


def binary_event(payload: bytes, position: str = "") -> bytes:
    """Return bytes as an event of the type ``binary``, in base64; ``position`` as above."""
    return b"%bevent: binary\ndata: %b\n\n" % (_id(position), b2a_base64(payload, newline=False))


def notice_event(notice: Notice, *, retry_ms: int | None = None) -> bytes:
    """Return an event about the stream itself: its type is the notice's kind, its data JSON.

    Args:
        notice: What it says.
        retry_ms: How long to wait, from now on, before connecting again; None leaves it as it was.
    """
    retry = "" if retry_ms is None else f"retry: {retry_ms}\n"
    data = json.dumps(notice.fields, separators=(",", ":"))
    return f"event: {notice.kind}\n{retry}data: {data}\n\n".encode()


def _id(position: str) -> bytes:
    return b"id: %b\n" % position.encode() if position else b""
