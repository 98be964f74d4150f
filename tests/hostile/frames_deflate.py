"""Compressed messages that are none, that are far more than they seem, and offers of compression that are none.

A kilobyte of zeros inflates to a megabyte. The relay never inflates more than a
message may be, so a bomb is 1009 and its memory is not spent: the second run of
the kit would show it.

Rules: RFC 7692, sections 5 to 7; RFC 6455, sections 5.2 and 9.1.
"""

from __future__ import annotations

import zlib
from typing import Final

from tests.hostile.cases import ROOM, Attacker, Case, Outcome
from tests.hostile.outcomes import Accepted, Closed, Refused, Stays
from tests.hostile.steps import join
from tests.wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame, rfc6455_head, shake_hands_rfc6455

PROTOCOL: Final = Closed(1002, "protocol")
NOT_UTF8: Final = Closed(1007, "not_utf8")
TOO_BIG: Final = Closed(1009, "too_big", limit="message_max_bytes")
MESSAGE_MAX_BYTES: Final = 65_536

_ENABLED: Final = ("deflate.enabled=true",)
_OFFER: Final = "Sec-WebSocket-Extensions: permessage-deflate"
_AGREED: Final = f"{_OFFER}; server_no_context_takeover; client_no_context_takeover"
_RSV1: Final = 0x40


def join_with_deflate(attacker: Attacker) -> None:
    """Enter the room, and agree on compression."""
    shake_hands_rfc6455(attacker.wire, ROOM, _OFFER)


def _deflated(data: bytes, level: int = 9) -> bytes:
    """Return a message's payload as RFC 7692, 7.2.1 wants it."""
    stream = zlib.compressobj(level, zlib.DEFLATED, -15)
    return (stream.compress(data) + stream.flush(zlib.Z_SYNC_FLUSH))[:-4]


def _marked(data: bytes) -> bytes:
    """Return a frame with the bit that says it begins a compressed message."""
    return bytes((data[0] | _RSV1,)) + data[1:]


def _message(payload: bytes, opcode: int = BINARY) -> bytes:
    return _marked(frame(opcode, payload))


def _in_two(payload: bytes, opcode: int = BINARY) -> bytes:
    half = len(payload) // 2
    return _marked(frame(opcode, payload[:half], is_final=False)) + frame(CONTINUATION, payload[half:])


def _in_pieces(payload: bytes, size: int) -> bytes:
    pieces = [payload[at : at + size] for at in range(0, len(payload), size)]
    middle = b"".join(frame(CONTINUATION, piece, is_final=False) for piece in pieces[1:])
    return _marked(frame(BINARY, pieces[0], is_final=False)) + middle + frame(CONTINUATION)


def _twice(data: bytes) -> bytes:
    """Return two messages of one stream, of which the second refers to the first."""
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    return b"".join(_message((stream.compress(data) + stream.flush(zlib.Z_SYNC_FLUSH))[:-4]) for _ in range(2))


_HELLO: Final = _deflated(b"hello")
_FULL: Final = bytes(MESSAGE_MAX_BYTES)
# As much as may stand in one message that is deflated: 64 MiB, were it inflated.
_BOMB: Final = _deflated(bytes(1 << 26))

_BROKEN: Final = {
    "no deflate": _message(b"hello"),
    "block of a type that is reserved": _message(b"\x07"),
    "stored block with a wrong length": _message(b"\x00\x05\x00\x05\x00hello"),
    "stored block that is too short": _message(b"\x00\x05\x00\xfa\xffhe"),
    "reference to before the beginning": _message(b"\x4b\x02\x42\x00"),
    "codes without an end": _message(_HELLO[:-1]),
    "nothing but 0xFF": _message(b"\xff" * 100),
    "gzip": _message(bytes.fromhex("1f8b0800000000000003")),
    "zlib, with its head": _message(zlib.compress(b"hello")),
    "marked continuation": _marked(frame(BINARY, _HELLO[:3], is_final=False)) + _message(_HELLO[3:], CONTINUATION),
    "marked ping": _message(b"", PING),
    "marked pong": _message(b"", PONG),
    "marked close": _message(b"\x03\xe8", CLOSE),
    "RSV2 on a compressed message": bytes((_message(_HELLO)[0] | 0x20,)) + _message(_HELLO)[1:],
    "RSV3 on a compressed message": bytes((_message(_HELLO)[0] | 0x10,)) + _message(_HELLO)[1:],
    "text inside a compressed message": _marked(frame(TEXT, _HELLO[:3], is_final=False)) + _message(_HELLO, TEXT),
    "continuation of nothing, marked": _message(_HELLO, CONTINUATION),
}

_BOMBS: Final = {
    "a byte more than is allowed": _message(_deflated(bytes(MESSAGE_MAX_BYTES + 1))),
    "a byte more, in two frames": _in_two(_deflated(bytes(MESSAGE_MAX_BYTES + 1))),
    "a byte more, as text": _message(_deflated(b"a" * (MESSAGE_MAX_BYTES + 1)), TEXT),
    "64 MiB in 64 KiB": _message(_BOMB),
    "64 MiB in 64 KiB, in two frames": _in_two(_BOMB),
    "64 MiB in pieces of 100 bytes": _in_pieces(_BOMB, 100),
    "as much as is allowed, and a bomb behind": _message(_deflated(_FULL) + b"\x00\x00\xff\xff" + _BOMB[:60_000]),
    "more than any message that is allowed can be deflated to": _message(bytes(80_000)),
    "2^40 bytes, in the header": b"\xc2\xff" + (2**40).to_bytes(8, "big"),
}

_NOT_UTF8: Final = {
    "byte FF": b"\xff",
    "surrogate": b"\xed\xa0\x80",
    "overlong slash": b"\xc0\xaf",
    "cut character": b"caf\xc3",
}

_RELAYED: Final[dict[str, tuple[bytes, str | bytes]]] = {
    "as many bytes as are allowed": (_message(_deflated(_FULL)), _FULL),
    "as many bytes as are allowed, in pieces": (_in_pieces(_deflated(_FULL), 10), _FULL),
    "text": (_message(_HELLO, TEXT), "hello"),
    "text in two frames": (_in_two(_HELLO, TEXT), "hello"),
    "text that is stored": (_message(_deflated(b"hello", level=0), TEXT), "hello"),
    "text that is not compressed": (frame(TEXT, b"hello"), "hello"),
    "empty text": (_message(b"\x00", TEXT), ""),
    "text with a final block": (_message(b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", TEXT), "Hello"),
}

# Each is the value of a Sec-WebSocket-Extensions that is no list of extensions.
_NO_OFFERS: Final = {
    "empty": "",
    "commas alone": ",,",
    "semicolon alone": ";",
    "without a name": "; server_no_context_takeover",
    "with a semicolon behind": "permessage-deflate;",
    "with two semicolons": "permessage-deflate;; server_no_context_takeover",
    "with a value without a name": "permessage-deflate; =10",
    "with a name without a value": "permessage-deflate; server_max_window_bits=",
    "with a quote that does not end": 'permessage-deflate; server_max_window_bits="10',
    "with a comma in quotes": 'permessage-deflate; server_max_window_bits="1,0"',
    "with a blank in its name": "permessage deflate",
    "with a slash": "permessage/deflate",
    "with a byte beyond ASCII": "permessage-d\xe9flate",
    "of ten thousand blanks": "permessage-deflate" + "; a" * 100 + " " * 10_000 + ";",
}

# Offers that are well-formed, and that nobody has to take.
_DECLINED: Final = {
    "of another extension": "x-webkit-deflate-frame",
    "of an extension of a browser's": "permessage-bzip2; level=9",
    "with a parameter that nobody knows": "permessage-deflate; level=9",
    "with a parameter twice": "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
    "with a window of 7": "permessage-deflate; server_max_window_bits=7",
    "with a window of 8": "permessage-deflate; server_max_window_bits=8",
    "with a window of 16": "permessage-deflate; server_max_window_bits=16",
    "with a window of 010": "permessage-deflate; server_max_window_bits=010",
    "with a window of +10": "permessage-deflate; server_max_window_bits=+10",
    "with a window that is not named": "permessage-deflate; server_max_window_bits",
    "with a value where there is none": "permessage-deflate; client_no_context_takeover=1",
    "in capitals": "PERMESSAGE-DEFLATE",
}


def _cases() -> list[Case]:
    deflate, offer = "RFC 7692, 7.2.2", "RFC 6455, 9.1"
    return [
        *(_case(f"compressed: {name}", data, PROTOCOL, deflate) for name, data in _BROKEN.items()),
        *(_case(f"bomb: {name}", data, TOO_BIG, "[limits] message_max_bytes") for name, data in _BOMBS.items()),
        *(
            _case(f"compressed text, not UTF-8: {name}", _message(_deflated(data), TEXT), NOT_UTF8, "RFC 6455, 8.1")
            for name, data in _NOT_UTF8.items()
        ),
        *(
            _case(f"compressed: {name}", data, Stays((heard,)), "RFC 7692, 7.2.3")
            for name, (data, heard) in _RELAYED.items()
        ),
        *(_offer(name, value, Refused(400, "malformed", "rfc6455"), offer) for name, value in _NO_OFFERS.items()),
        *(_offer(name, value, Accepted(), "RFC 7692, 5.1") for name, value in _DECLINED.items()),
        _offer("that is taken", "permessage-deflate", Accepted(lines=(_AGREED,)), "RFC 7692, 7.1"),
        _case(
            "reference to the message before",
            _twice(b"0123456789"),
            Closed(1002, "protocol", relayed=(b"0123456789",)),
            "RFC 7692, 7.1.1",
        ),
        Case(
            "marked text of one that did not agree", (join, _message(_HELLO, TEXT)), PROTOCOL, "RFC 7692, 6", _ENABLED
        ),
        Case(
            "marked text where compression is off",
            (join_with_deflate, _message(_HELLO, TEXT)),
            PROTOCOL,
            "[deflate] enabled",
        ),
    ]


def _case(name: str, data: bytes, outcome: Outcome, rule: str) -> Case:
    return Case(name, (join_with_deflate, data), outcome, rule, _ENABLED)


def _offer(name: str, value: str, outcome: Outcome, rule: str) -> Case:
    head = rfc6455_head(ROOM, f"Sec-WebSocket-Extensions: {value}")
    return Case(f"offer {name}", (head,), outcome, rule, _ENABLED)


CASES: Final = _cases()
