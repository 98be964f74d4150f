"""Event streams, and what a browser asks before one: another answer to a GET must be no way around a rule.

Most of what may be wrong with a head is wrong whatever it asks for, and is tried elsewhere
with a handshake. Here is what is of this kind alone: who accepts one and who does not, pages
that hide their origin, positions that are none, and OPTIONS, which the door had never taken.

Rules: RFC 9110, sections 9.3.7 and 12.5.1; Fetch, 3.3; HTML, 9.2.
"""

from __future__ import annotations

from typing import Final

from tests.event_source import stream_head
from tests.hostile.cases import ROOM, Case
from tests.hostile.outcomes import Refused, Streamed
from tests.wire import get

MALFORMED: Final = Refused(400, "malformed")
NO_POSITION: Final = Refused(400, "malformed", "sse")
NO_UPGRADE: Final = Refused(426, "not_upgrade")
FOREIGN: Final = Refused(403, "origin", "sse")
METHOD: Final = Refused(405, "method")
FLOODED: Final = Streamed("protocol", goodbye="protocol")
STREAMED: Final = Streamed("gone")

EVIL: Final = "Origin: https://evil.example"
ASKS: Final = "Access-Control-Request-Method: GET"

_NOT_ACCEPTED: Final = {
    "anything": "*/*",
    "any text": "text/*",
    "weight of nothing": "text/event-stream;q=0",
    "weight of nothing, in three digits": "text/event-stream ; q=0.000",
    "in the parameter of another": "text/html;a=text/event-stream",
    "longer word": "text/event-streams",
    "blank in the middle": "text/ event-stream",
    "nothing": "",
}
_ACCEPTED: Final = {
    "in capitals": "TEXT/EVENT-STREAM",
    "a thousand kinds before it": ", ".join(["a/b"] * 1000 + ["text/event-stream"]),
    "weight that is none": "text/event-stream;q=zero",
    "quote that does not end": 'a/b;c="d, text/event-stream',
}
_FOREIGN: Final = {
    "page of another host": (EVIL,),
    "page of another host that claims to be ours": (EVIL, "Sec-Fetch-Site: same-origin"),
    "page that hides its host": ("Sec-Fetch-Site: cross-site",),
    "page of a sibling that hides its host": ("Sec-Fetch-Site: same-site",),
    "sandboxed page": ("Origin: null", "Sec-Fetch-Site: cross-site"),
    "empty origin": ("Origin:", "Sec-Fetch-Site: same-origin"),
}
_NO_POSITIONS: Final = {
    "a word": "yesterday",
    "no epoch": ":7",
    "no offset": "k7c2m9qa:",
    "negative offset": "k7c2m9qa:-1",
    "offset of 5,000 digits": "k7c2m9qa:" + "9" * 5000,
    "offset in other digits": "k7c2m9qa:\xb2",
    "seconds": "30s",
    "epoch of 5,000 letters": "a" * 5000 + ":1",
    "two": "k7c2m9qa:1, k7c2m9qa:2",
    "blank in the middle": "k7c2m9qa: 1",
}


def _options(target: str, *lines: str) -> bytes:
    return get(target, *lines).replace(b"GET", b"OPTIONS", 1)


_OPTIONS: Final = {
    "of the server": (_options("*", EVIL, ASKS), METHOD),
    "of the page": (_options("/", EVIL, ASKS), METHOD),
    "of a probe": (_options("/-/ready", EVIL, ASKS), METHOD),
    "of a room, by nobody": (_options(ROOM), METHOD),
    "of a room, for nothing": (_options(ROOM, EVIL), METHOD),
    "of a room, to write": (_options(ROOM, EVIL, "Access-Control-Request-Method: POST"), METHOD),
    "of a room, in small letters": (_options(ROOM, EVIL, "Access-Control-Request-Method: get"), METHOD),
    "of a room, with an upgrade": (_options(ROOM, EVIL, ASKS, "Upgrade: websocket", "Connection: Upgrade"), METHOD),
    "of a room, by a strange page": (_options(ROOM, EVIL, ASKS), FOREIGN),
    "of no room": (_options("/nowhere", EVIL, ASKS), Refused(404, "not_found", "sse")),
    "twice": (_options(ROOM, EVIL, ASKS, ASKS), MALFORMED),
    "with a body": (_options(ROOM, EVIL, ASKS, "Content-Length: 3") + b"abc", MALFORMED),
    "with a chunked body": (_options(ROOM, EVIL, ASKS, "Transfer-Encoding: chunked"), MALFORMED),
    "with another request behind": (_options(ROOM, EVIL, ASKS) + stream_head(ROOM), FOREIGN),
    "absolute": (_options("http://relay.example/", EVIL, ASKS), MALFORMED),
    "asterisk and a path": (_options("*/rooms", EVIL, ASKS), MALFORMED),
}

CASES: Final = [
    *(
        Case(f"not accepted: {name}", (get(ROOM, f"Accept: {value}"),), NO_UPGRADE, "RFC 9110, 12.5.1")
        for name, value in _NOT_ACCEPTED.items()
    ),
    *(
        Case(f"accepted: {name}", (get(ROOM, f"Accept: {value}"),), STREAMED, "RFC 9110, 12.5.1")
        for name, value in _ACCEPTED.items()
    ),
    *(Case(name, (stream_head(ROOM, *lines),), FOREIGN, "[origins]") for name, lines in _FOREIGN.items()),
    Case(
        "two sites",
        (stream_head(ROOM, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-origin"),),
        MALFORMED,
        "[origins]",
    ),
    *(
        Case(f"position: {name}", (stream_head(ROOM, f"Last-Event-ID: {value}"),), NO_POSITION, "HTML, 9.2.4")
        for name, value in _NO_POSITIONS.items()
    ),
    Case(
        "two positions",
        (stream_head(ROOM, "Last-Event-ID: a:1", "Last-Event-ID: a:2"),),
        MALFORMED,
        "HTML, 9.2.4",
    ),
    Case(
        "position with a line of its own",
        (stream_head(ROOM, "Last-Event-ID: a:1\rAccess-Control-Allow-Origin: *"),),
        MALFORMED,
        "RFC 9112, 2.2",
    ),
    *(Case(f"OPTIONS {name}", (sent,), outcome, "Fetch, 3.3") for name, (sent, outcome) in _OPTIONS.items()),
    Case("a second request behind the first", (stream_head(ROOM) * 2,), STREAMED, "RFC 9112, 9.3.2"),
    Case("frames behind the request", (stream_head(ROOM) + b"\x81\x80abcd",), STREAMED, "HTML, 9.2"),
    Case("a flood behind the request", (stream_head(ROOM) + bytes(1_000_000),), FLOODED, "HTML, 9.2"),
]
