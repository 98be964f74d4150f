"""Heads that are too large, too many, or in no end of pieces: each limit from both of its sides.

Rules: [limits] head_max_bytes and headers_max; RFC 6585, section 5, for the status.
"""

from __future__ import annotations

from typing import Final

from tests.hostile.cases import ROOM, Case
from tests.hostile.outcomes import Accepted, Refused
from tests.hostile.steps import drip
from tests.wire import rfc6455_head

TOO_LARGE: Final = Refused(431, "head_too_large", limit="head_max_bytes")
TOO_MANY: Final = Refused(431, "head_too_large", limit="headers_max")
MALFORMED: Final = Refused(400, "malformed")

HEAD_MAX_BYTES: Final = 16_384
HEADERS_MAX: Final = 100
"""The defaults."""

_HEAD: Final = rfc6455_head(ROOM)
_LINES: Final = _HEAD.count(b"\r\n") - 2
"""How many header lines the shortest handshake has."""


def _of_size(size: int) -> bytes:
    """Return a handshake of exactly so many bytes."""
    return rfc6455_head(ROOM, "A: " + "a" * (size - len(_HEAD) - len("A: \r\n")))


def _of_lines(lines: int) -> bytes:
    """Return a handshake with exactly so many header lines."""
    return rfc6455_head(ROOM, *["A: a"] * (lines - _LINES))


def _cases() -> list[Case]:
    size, count = "[limits] head_max_bytes", "[limits] headers_max"
    endless = b"GET /rooms/hostile HTTP/1.1\r\nHost: relay.example\r\n"
    return [
        Case("as many bytes as are allowed", (_of_size(HEAD_MAX_BYTES),), Accepted(), size),
        Case("a byte too many", (_of_size(HEAD_MAX_BYTES + 1),), TOO_LARGE, size),
        Case("twice as many bytes", (_of_size(2 * HEAD_MAX_BYTES),), TOO_LARGE, size),
        Case("a megabyte in one line", (endless + b"A: " + b"a" * 1_000_000,), TOO_LARGE, size),
        Case("a name without an end", (endless + b"a" * 20_000,), TOO_LARGE, size),
        Case("a target without an end", (b"GET /" + b"a" * 20_000,), TOO_LARGE, size),
        Case("blanks without an end", (endless + b"A:" + b" " * 20_000,), TOO_LARGE, size),
        Case("as many lines as are allowed", (_of_lines(HEADERS_MAX),), Accepted(), count),
        Case("a line too many", (_of_lines(HEADERS_MAX + 1),), TOO_MANY, count),
        Case("the shortest lines without an end", (endless + b"a:\r\n" * 4000,), TOO_MANY, count),
        Case("a thousand cookies", (rfc6455_head(ROOM, *["Cookie: a=b"] * 1000),), TOO_MANY, count),
        Case("a method without an end", (b"A" * 20_000,), MALFORMED, "RFC 9110, 9.1"),
        Case("blank lines without an end", (b"\r\n" * 10_000,), MALFORMED, "RFC 9112, 2.2"),
        Case("one byte at a time", (drip(_HEAD),), Accepted(), "RFC 9112, 2.2"),
        Case("one byte at a time, and wrong at the end", (drip(_HEAD[:-2] + b"A\r\n"),), MALFORMED, "RFC 9112, 5"),
    ]


CASES: Final = _cases()
