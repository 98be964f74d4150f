"""Frames of RFC 6455 whose first bytes condemn them: masks, reserved bits, opcodes, lengths, and their order.

Each is 1002 before one byte of its payload is kept, and what was good before it
has been relayed. A length that is merely too large is 1009: see frames_limits.

Rules: RFC 6455, sections 5.1 to 5.5.
"""

from __future__ import annotations

from typing import Final

from tests.hostile.cases import Case, Outcome
from tests.hostile.outcomes import Closed, Stays
from tests.hostile.steps import hear, join
from tests.wire import BINARY, CLOSE, CONTINUATION, MASK, PING, PONG, TEXT, frame

PROTOCOL: Final = Closed(1002, "protocol")
TOO_BIG: Final = Closed(1009, "too_big", limit="message_max_bytes")

_NAMES: Final = {
    CONTINUATION: "continuation",
    TEXT: "text",
    BINARY: "binary message",
    CLOSE: "close",
    PING: "ping",
    PONG: "pong",
}
_FINAL, _MASKED = 0x80, 0x80
_HELLO: Final = frame(TEXT, b"hello")
_IN_TWO_BYTES, _IN_EIGHT_BYTES = 126, 127


def _header(first: int, length: int, encoding: int) -> bytes:
    """Return a frame's header, with its length in two or in eight bytes, whether that is right or not."""
    return bytes((first, _MASKED | encoding)) + length.to_bytes(2 if encoding == _IN_TWO_BYTES else 8, "big")


def _unmasked(opcode: int, payload: bytes) -> bytes:
    return bytes((_FINAL | opcode, len(payload))) + payload


def _with_bits(bits: int, opcode: int) -> bytes:
    data = frame(opcode, b"hello" if opcode != CLOSE else b"\x03\xe8")
    return bytes((data[0] | bits,)) + data[1:]


def _reserved() -> dict[str, bytes]:
    bits = {"RSV1": 0x40, "RSV2": 0x20, "RSV3": 0x10, "all reserved bits": 0x70}
    return {f"{name} on a {_NAMES[opcode]}": _with_bits(bit, opcode) for name, bit in bits.items() for opcode in _NAMES}


def _control() -> dict[str, bytes]:
    cases: dict[str, bytes] = {}
    for opcode in (CLOSE, PING, PONG):
        name = _NAMES[opcode]
        cases |= {
            f"{name} that is a fragment": frame(opcode, b"\x03\xe8", is_final=False),
            f"{name} of 126 bytes": frame(opcode, b"\x03\xe8" + b"a" * 124),
            f"{name} of 65,536 bytes": frame(opcode, b"\x03\xe8" + b"a" * 65_534),
            f"{name} of five bytes, in two": _header(_FINAL | opcode, 5, _IN_TWO_BYTES) + MASK + b"hello",
            f"{name} of 2^63 bytes": _header(_FINAL | opcode, 2**63, _IN_EIGHT_BYTES),
        }
    return cases


def _lengths() -> dict[str, bytes]:
    text = _FINAL | TEXT
    short = {size: _header(text, size, _IN_TWO_BYTES) for size in (0, 1, 125)}
    long = {size: _header(text, size, _IN_EIGHT_BYTES) for size in (0, 125, 126, 65_535)}
    return {
        **{f"length {size} in two bytes": data + MASK + b"a" * size for size, data in short.items()},
        **{f"length {size} in eight bytes": data + MASK + b"a" * size for size, data in long.items()},
        "length 2^63": _header(text, 2**63, _IN_EIGHT_BYTES),
        "length 2^63 and a little": _header(text, 2**63 + 5, _IN_EIGHT_BYTES) + MASK + b"hello",
        "length 2^64 - 1": _header(text, 2**64 - 1, _IN_EIGHT_BYTES),
        "length 2^63 of a fragment": _header(TEXT, 2**63, _IN_EIGHT_BYTES),
    }


_TOO_LONG: Final = {
    "length 2^63 - 1": 2**63 - 1,
    "length 2^62": 2**62,
    "length 2^32": 2**32,
    "length 2^31": 2**31,
}

_UNMASKED: Final = {
    "text without a mask": _unmasked(TEXT, b"hello"),
    "empty text without a mask": _unmasked(TEXT, b""),
    "binary message without a mask": _unmasked(BINARY, b"hello"),
    "continuation without a mask": frame(TEXT, b"a", is_final=False) + _unmasked(CONTINUATION, b"b"),
    "ping without a mask": _unmasked(PING, b"hello"),
    "pong without a mask": _unmasked(PONG, b""),
    "close without a mask": _unmasked(CLOSE, b"\x03\xe8"),
    "close without a mask, its first two bytes": b"\x88\x02",
}

_OUT_OF_ORDER: Final = {
    "continuation of nothing": frame(CONTINUATION, b"hello"),
    "continuation of nothing, not final": frame(CONTINUATION, b"hello", is_final=False),
    "empty continuation of nothing": frame(CONTINUATION),
    "text inside a text": frame(TEXT, b"a", is_final=False) + _HELLO,
    "text inside a binary message": frame(BINARY, b"a", is_final=False) + _HELLO,
    "binary message inside a text": frame(TEXT, b"a", is_final=False) + frame(BINARY, b"b"),
    "second beginning of a text": frame(TEXT, b"a", is_final=False) * 2,
    "text inside a text, behind a ping": frame(TEXT, b"a", is_final=False) + frame(PONG) + _HELLO,
    "request of HTTP for a frame": b"GET /rooms/hostile HTTP/1.1\r\n\r\n",
    "frame of hixie-76 for a frame": b"\x00hello\xff",
    "nothing but 0xFF": b"\xff" * 64,
    "nothing but NULs": bytes(64),
}


def _cases() -> list[Case]:
    opcodes = {
        f"opcode {opcode:X}": bytes((_FINAL | opcode, _MASKED)) + MASK for opcode in (*range(3, 8), *range(11, 16))
    }
    fragments = {f"{name}, not final": bytes((data[0] & 0x7F,)) + data[1:] for name, data in opcodes.items()}
    sections = {
        "RFC 6455, 5.1": _UNMASKED,
        "RFC 6455, 5.2, RSV": _reserved(),
        "RFC 6455, 5.2, opcode": opcodes | fragments,
        "RFC 6455, 5.5": _control(),
        "RFC 6455, 5.2, payload length": _lengths(),
        "RFC 6455, 5.4": _OUT_OF_ORDER,
    }
    return [
        *(_case(name, data, PROTOCOL, rule) for rule, group in sections.items() for name, data in group.items()),
        *(
            _case(name, _header(_FINAL | BINARY, length, _IN_EIGHT_BYTES), TOO_BIG, "[limits] message_max_bytes")
            for name, length in _TOO_LONG.items()
        ),
        *_after_good_ones(),
        *_harmless(),
    ]


def _after_good_ones() -> list[Case]:
    bad = _unmasked(TEXT, b"no")
    relayed = Closed(1002, "protocol", relayed=("hello",) * 3)
    return [
        _case("three good texts, then a bad frame", _HELLO * 3 + bad, relayed, "RFC 6455, 7.1.7"),
        _case("three good texts, a bad frame, good ones", _HELLO * 3 + bad + _HELLO * 3, relayed, "RFC 6455, 7.1.7"),
        _case("half a message, then a bad frame", frame(TEXT, b"a", is_final=False) + bad, PROTOCOL, "RFC 6455, 7.1.7"),
    ]


def _harmless() -> list[Case]:
    """Return what is odd and allowed: it must work, or a client of the internet is kept out."""
    zero_mask = b"\x81\x85\x00\x00\x00\x00hello"
    pings = b"".join(frame(PING, bytes((number,))) for number in range(3))
    in_pieces = frame(TEXT, b"he", is_final=False) + pings + frame(CONTINUATION, b"llo")
    pongs = tuple(hear(PONG, bytes((number,))) for number in range(3))
    return [
        _case("mask of zeros", zero_mask, Stays(("hello",)), "RFC 6455, 5.3"),
        _case("empty text", frame(TEXT), Stays(("",)), "RFC 6455, 5.6"),
        _case("empty fragments around a text", _in_empty_fragments(), Stays(("hello",)), "RFC 6455, 5.4"),
        _case("pong that nobody asked for", frame(PONG, b"x" * 125), Stays(), "RFC 6455, 5.5.3"),
        Case("pings inside a message", (join, in_pieces, *pongs), Stays(("hello",)), "RFC 6455, 5.4"),
        Case("ping of 125 bytes", (join, frame(PING, b"x" * 125), hear(PONG, b"x" * 125)), Stays(), "RFC 6455, 5.5"),
        Case(
            "frame in single bytes",
            (join, *[_HELLO[n : n + 1] for n in range(len(_HELLO))]),
            Stays(("hello",)),
            "RFC 6455, 5.2",
        ),
    ]


def _in_empty_fragments() -> bytes:
    empty = frame(CONTINUATION, is_final=False)
    return (
        frame(TEXT, is_final=False)
        + empty
        + frame(CONTINUATION, b"hello", is_final=False)
        + empty
        + frame(CONTINUATION)
    )


def _case(name: str, data: bytes, outcome: Outcome, rule: str) -> Case:
    return Case(name, (join, data), outcome, rule)


CASES: Final = _cases()
