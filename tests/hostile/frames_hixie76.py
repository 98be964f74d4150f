"""Frames of hixie-76: texts without an end, lengths without an end, and goodbyes that are none.

The dialect has no close codes, so its strict answer is FF 00 and the end; the
reason stands in the log and the metric. Frames of other types are read, bounded
and discarded, as the draft demands.

Rules: draft-hixie-thewebsocketprotocol-76, sections 4.2 and 5.3.
"""

from __future__ import annotations

from typing import Final

from tests.hostile.cases import Case, Outcome
from tests.hostile.outcomes import ClosedHixie76, StaysHixie76, gone
from tests.hostile.steps import join_hixie76, shut
from tests.wire import CLOSING

PROTOCOL: Final = ClosedHixie76("protocol")
TOO_BIG: Final = ClosedHixie76("too_big", limit="message_max_bytes")
PEER: Final = ClosedHixie76("peer")

MESSAGE_MAX_BYTES: Final = 65_536
"""The default."""

_HELLO: Final = b"\x00hello\xff"


def _length(number: int, size: int = 0) -> bytes:
    """Return a length, seven bits a byte, in as many bytes as it needs or in ``size``."""
    groups = [number & 0x7F]
    while number := number >> 7:
        groups.append(number & 0x7F | 0x80)
    groups += [0x80] * (size - len(groups))
    return bytes(reversed(groups))


_PROTOCOL: Final = {
    "length of ten bytes": b"\x80" + b"\xff" * 9 + b"\x7f",
    "length of ten bytes that mean nothing": b"\x80" + b"\x80" * 9 + b"\x00",
    "length of zeros without an end": b"\x80" + b"\x80" * 1000,
    "nothing but 0xFF": b"\xff" * 100,
    "goodbye whose zero has ten bytes": b"\xff" + b"\x80" * 9 + b"\x00",
}

_TOO_BIG: Final = {
    "text that does not end": b"\x00" + b"a" * (MESSAGE_MAX_BYTES + 1),
    "text one byte too long": b"\x00" + b"a" * (MESSAGE_MAX_BYTES + 1) + b"\xff",
    "text that is too long once it is repaired": b"\x00" + b"\x80" * 30_000 + b"\xff",
    "frame of another type that does not end": b"\x01" + b"a" * (MESSAGE_MAX_BYTES + 1),
    "length one byte too long": b"\x80" + _length(MESSAGE_MAX_BYTES + 1),
    "length 2^31": b"\x80" + _length(2**31),
    "length 2^32": b"\x80" + _length(2**32),
    "length 2^63 - 1": b"\x80" + _length(2**63 - 1),
    "length 2^32, in a goodbye": b"\xff" + _length(2**32),
}

_DISCARDED: Final = {
    "frame of type 01": b"\x01hello\xff",
    "frame of type 7F": b"\x7fhello\xff",
    "frame of type 80": b"\x80" + _length(5) + b"hello",
    "frame of type FE": b"\xfe" + _length(5) + b"hello",
    "frame of type FF that is not empty": b"\xff" + _length(5) + b"hello",
    "frame of type 80, of no bytes": b"\x80\x00",
    "frame of type 80 that holds a goodbye": b"\x80" + _length(2) + CLOSING,
    "frame of type 80 that holds a text": b"\x80" + _length(7) + _HELLO,
    "length in nine bytes": b"\x80" + _length(5, size=9) + b"hello",
    "as many bytes as are allowed, of type 80": b"\x80" + _length(MESSAGE_MAX_BYTES) + b"a" * MESSAGE_MAX_BYTES,
}

_RELAYED: Final[dict[str, tuple[bytes, tuple[str, ...]]]] = {
    "as many bytes as are allowed": (b"\x00" + b"a" * MESSAGE_MAX_BYTES + b"\xff", ("a" * MESSAGE_MAX_BYTES,)),
    "empty text": (b"\x00\xff", ("",)),
    "NULs in a text": (b"\x00\x00a\x00\xff", ("\0a\0",)),
    "goodbye without its first byte, in a text": (b"\x00a\xff" + b"\x00b\xff", ("a", "b")),
    "text that is not UTF-8": (b"\x00a\x80\xc0\xafz\xff", ("a\ufffd\ufffd\ufffdz",)),
    "surrogate in a text": (b"\x00\xed\xa0\x80\xff", ("\ufffd\ufffd\ufffd",)),
    "cut character in a text": (b"\x00a\xe2\x82\xff", ("a\ufffd",)),
    "byte FE in a text": (b"\x00\xfe\xff", ("\ufffd",)),
}


def _cases() -> list[Case]:
    draft = "draft-76, 5.3"
    return [
        *(_case(name, data, PROTOCOL, draft) for name, data in _PROTOCOL.items()),
        *(_case(name, data, TOO_BIG, "[limits] message_max_bytes") for name, data in _TOO_BIG.items()),
        *(_case(name, data + _HELLO, StaysHixie76(("hello",)), draft) for name, data in _DISCARDED.items()),
        *(_case(name, data, StaysHixie76(heard), draft) for name, (data, heard) in _RELAYED.items()),
        _case("goodbye whose zero has two bytes", b"\xff\x80\x00", PEER, draft),
        _case("text behind a goodbye", CLOSING + _HELLO, PEER, draft),
        _case("goodbye behind a goodbye", CLOSING * 2, PEER, draft),
        _case("megabyte behind a goodbye", CLOSING + b"\x00" * 1_000_000, PEER, draft),
        _case("text, then a frame too long", _HELLO + b"\x80" + _length(2**40), _too_big_behind("hello"), draft),
        Case("half a goodbye, then the end", (join_hixie76, b"\xff", shut), gone(dialect="hixie76"), draft),
        Case("half a text, then the end", (join_hixie76, b"\x00hel", shut), gone(dialect="hixie76"), draft),
    ]


def _too_big_behind(*relayed: str) -> ClosedHixie76:
    return ClosedHixie76("too_big", relayed, limit="message_max_bytes")


def _case(name: str, data: bytes, outcome: Outcome, rule: str) -> Case:
    return Case(name, (join_hixie76, data), outcome, rule)


CASES: Final = _cases()
