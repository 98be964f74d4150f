"""Request lines: methods, versions, and targets by which one room would have two names, or two rooms one.

A proxy that decides by path and a relay that decodes it once more, or once less,
disagree on which room a request is for. So a path is decoded exactly once, and
whatever then is no name as it stands is 400: never repaired, never another room.

Rules: RFC 9112, section 3; RFC 3986, sections 2 and 3.3; what a room name is,
README, "Rooms".
"""

from __future__ import annotations

from typing import Final

from tests.hostile.cases import Case
from tests.hostile.outcomes import Accepted, Refused, gone_before_101
from tests.hostile.steps import shut
from tests.wire import get, rfc6455_head

MALFORMED: Final = Refused(400, "malformed")
NO_NAME: Final = Refused(400, "malformed", "rfc6455")
"""The request is fine, and its dialect is known; the path names no room."""
NO_ROOM: Final = Refused(404, "not_found", "rfc6455")
METHOD: Final = Refused(405, "method")

_REST: Final = b"\r\nHost: relay.example\r\n\r\n"

_REQUEST_LINES: Final = {
    "absolute target": b"GET http://relay.example/rooms/hostile HTTP/1.1",
    "absolute target of another host": b"GET http://other.example/rooms/hostile HTTP/1.1",
    "absolute target of a scheme of its own": b"GET ws://relay.example/rooms/hostile HTTP/1.1",
    "absolute target of a file": b"GET file:///etc/passwd HTTP/1.1",
    "authority for a target": b"GET relay.example:80 HTTP/1.1",
    "userinfo for a target": b"GET user@relay.example/rooms/hostile HTTP/1.1",
    "asterisk for a target": b"GET * HTTP/1.1",
    "no slash in front": b"GET rooms/hostile HTTP/1.1",
    "query alone": b"GET ?a HTTP/1.1",
    "backslash in front": b"GET \\rooms\\hostile HTTP/1.1",
    "fragment": b"GET /rooms/hostile#x HTTP/1.1",
    "fragment in the query": b"GET /rooms/hostile?a#x HTTP/1.1",
    "blank in the target": b"GET /rooms/hos tile HTTP/1.1",
    "tab in the target": b"GET /rooms/hos\ttile HTTP/1.1",
    "NUL in the target": b"GET /rooms/hostile\0 HTTP/1.1",
    "delete in the target": b"GET /rooms/hostile\x7f HTTP/1.1",
    "target in raw UTF-8": b"GET /rooms/\xc3\xa9 HTTP/1.1",
    "query in raw UTF-8": b"GET /rooms/hostile?\xc3\xa9 HTTP/1.1",
    "byte 0xFF in the target": b"GET /rooms/\xff HTTP/1.1",
    "raw quote in the path": b'GET /rooms/"a" HTTP/1.1',
    "raw angle brackets in the path": b"GET /rooms/<a> HTTP/1.1",
    "raw braces in the path": b"GET /rooms/{room} HTTP/1.1",
    "raw backquote in the path": b"GET /rooms/`a` HTTP/1.1",
    "raw backslash in the path": b"GET /rooms/a\\b HTTP/1.1",
    "raw quote in the query": b'GET /rooms/hostile?a="b" HTTP/1.1',
    "raw angle brackets in the query": b"GET /rooms/hostile?<script> HTTP/1.1",
    "no target": b"GET HTTP/1.1",
    "no target, two blanks": b"GET  HTTP/1.1",
    "no version": b"GET /",
    "no version, with its blank": b"GET / ",
    "two blanks behind the method": b"GET  / HTTP/1.1",
    "two blanks before the version": b"GET /  HTTP/1.1",
    "blank behind the version": b"GET / HTTP/1.1 ",
    "tab behind the method": b"GET\t/ HTTP/1.1",
    "tab before the version": b"GET /\tHTTP/1.1",
    "two versions": b"GET / HTTP/1.1 HTTP/1.1",
    "HTTP/0.9": b"GET / HTTP/0.9",
    "HTTP/1.0": b"GET / HTTP/1.0",
    "HTTP/1.2": b"GET / HTTP/1.2",
    "HTTP/2.0": b"GET / HTTP/2.0",
    "HTTP/1": b"GET / HTTP/1",
    "HTTP/1.10": b"GET / HTTP/1.10",
    "HTTP/01.1": b"GET / HTTP/01.1",
    "HTTP/+1.1": b"GET / HTTP/+1.1",
    "HTTP/1,1": b"GET / HTTP/1,1",
    "version in small letters": b"GET / http/1.1",
    "another protocol's version": b"GET / RTSP/1.1",
    "NUL in the version": b"GET / HTTP/1.1\0",
    "method cut by a NUL": b"GE\0T / HTTP/1.1",
    "method of 17 letters": b"ABCDEFGHIJKLMNOPQ / HTTP/1.1",
    "method with a slash": b"GET/ / HTTP/1.1",
    "quoted method": b'"GET" / HTTP/1.1',
    "no method": b" / HTTP/1.1",
    "status line for a request line": b"HTTP/1.1 200 OK",
    "preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM",
}

_METHODS: Final = {
    "method of 16 letters": b"ABCDEFGHIJKLMNOP / HTTP/1.1",
    "POST": b"POST / HTTP/1.1\r\nContent-Length: 5",
    "HEAD": b"HEAD / HTTP/1.1",
    "OPTIONS *": b"OPTIONS * HTTP/1.1",
    "CONNECT": b"CONNECT relay.example:80 HTTP/1.1",
    "TRACE": b"TRACE / HTTP/1.1",
    "GET in small letters": b"get / HTTP/1.1",
    "GET with a letter more": b"GETS / HTTP/1.1",
}

_NO_NAMES: Final = {
    "..": "/rooms/..",
    "../ into the room": "/rooms/../rooms/hostile",
    "./": "/rooms/./hostile",
    ".. encoded": "/rooms/%2e%2e",
    ".. half encoded": "/rooms/.%2E",
    ". encoded": "/rooms/%2e",
    "// in front": "//rooms/hostile",
    "// inside": "/rooms//hostile",
    "/ behind": "/rooms/hostile/",
    "/ alone behind": "/rooms/",
    "/ encoded": "/rooms/a%2fb",
    "/ encoded in capitals": "/rooms%2Fhostile",
    "backslash encoded": "/rooms/a%5cb",
    "NUL encoded": "/rooms/a%00",
    "CR LF encoded": "/rooms/a%0d%0aX:%20y",
    "tab encoded": "/rooms/a%09",
    "delete encoded": "/rooms/a%7f",
    "C1 control encoded": "/rooms/a%c2%85",
    "overlong slash": "/rooms/%c0%af",
    "overlong dot": "/rooms/%c0%ae%c0%ae",
    "overlong NUL": "/rooms/%c0%80",
    "overlong slash in three bytes": "/rooms/%e0%80%af",
    "surrogate": "/rooms/%ed%a0%80",
    "pair of surrogates": "/rooms/%ed%a0%bd%ed%b8%80",
    "beyond Unicode": "/rooms/%f4%90%80%80",
    "cut character": "/rooms/%e2%82",
    "byte 0xFF encoded": "/rooms/%ff",
    "percent without digits": "/rooms/%",
    "percent with one digit": "/rooms/%2",
    "percent with letters": "/rooms/%zz",
    "percent with a sign": "/rooms/%+1",
    "percent with IIS' u": "/rooms/%u0041",
    "256 bytes": "/rooms/" + "a" * 249,
    "256 bytes, decoded": "/rooms/" + "a" * 247 + "%c3%a9",
    "eight thousand bytes": "/rooms/" + "a" * 8000,
    "a thousand empty segments": "/rooms" + "/" * 1000,
}

# Legal, and a room of its own: nobody else's, and not decoded once more.
_OTHER_ROOMS: Final = {
    "255 bytes": "/rooms/" + "a" * 248,
    "255 bytes, decoded": "/rooms/" + "a" * 246 + "%c3%a9",
    ".. encoded twice": "/rooms/%252e%252e",
    "/ encoded twice": "/rooms/a%252fb",
    "NUL encoded twice": "/rooms/a%2500",
    "parameters": "/rooms/hostile;a=b",
    "a letter encoded": "/rooms/%68ostile2",
    "question mark encoded": "/rooms/hostile%3f",
    "fragment encoded": "/rooms/hostile%23",
    "plus": "/rooms/a+b",
    "three dots": "/rooms/...",
    "query of slashes and dots": "/rooms/hostile2?/../../x=%00%2f",
    "query of what browsers leave as it is": "/rooms/hostile2?a={b}|[c]^`\\",
}

_NOWHERE: Final = {
    "deeper than the template": "/rooms/hostile/deeper",
    "another case": "/Rooms/hostile",
    "no room at all": "/etc/passwd",
    "the page, as a room": "/",
    "what is reserved": "/-/ready",
}


def _cases() -> list[Case]:
    return [
        *(Case(name, (line + _REST,), MALFORMED, "RFC 9112, 3") for name, line in _REQUEST_LINES.items()),
        *(Case(name, (line + _REST,), METHOD, "RFC 9110, 15.5.6") for name, line in _METHODS.items()),
        *(Case(f"room {name}", (rfc6455_head(path),), NO_NAME, "room names") for name, path in _NO_NAMES.items()),
        *(Case(f"room {name}", (rfc6455_head(path),), Accepted(), "room names") for name, path in _OTHER_ROOMS.items()),
        *(Case(f"room {name}", (rfc6455_head(path),), NO_ROOM, "room names") for name, path in _NOWHERE.items()),
        Case(
            "letters encoded, and the room is the same",
            (rfc6455_head("/%72oom%73/%68ostile"),),
            Accepted(),
            "RFC 3986, 2.3: equivalent",
        ),
        Case(".. in a plain GET", (get("/rooms/.."),), MALFORMED, "room names"),
        Case("HTTP/0.9 without a line end", (b"GET /", shut), gone_before_101(), "RFC 9112, 8: incomplete"),
    ]


CASES: Final = _cases()
