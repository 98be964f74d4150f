"""The closing handshake, begun in every wrong way, and what is sent behind it.

Rules: RFC 6455, sections 1.4, 5.5.1, 7.1 and 7.4.
"""

from __future__ import annotations

from typing import Final

from tests.hostile.cases import Case, Outcome
from tests.hostile.outcomes import Closed, gone
from tests.hostile.steps import join, shut
from tests.wire import BINARY, CLOSE, CONTINUATION, PING, TEXT, frame

PROTOCOL: Final = Closed(1002, "protocol")
NOT_UTF8: Final = Closed(1007, "not_utf8")
PEER: Final = Closed(1000, "peer")

_BAD_CODES: Final = (0, 1, 100, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 9999, 32_768, 65_535)
_GOOD_CODES: Final = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1011, 1012, 1013, 3000, 3999, 4000, 4999)
_CLIENTS_OWN: Final = (1010, 1014)
"""A client may send them, and a server must not: the echo is 1000."""

_BAD_REASONS: Final = {
    "a lone continuation": b"\x80",
    "byte FF": b"\xff",
    "an overlong slash": b"\xc0\xaf",
    "a surrogate": b"\xed\xa0\x80",
    "U+110000": b"\xf4\x90\x80\x80",
    "a cut character": b"\xe2\x82",
    "good, then a cut character": b"hello \xf0\x9f\x98",
    "122 letters, then half a character": b"a" * 122 + b"\xc3",
    "Latin-1": b"caf\xe9",
}


def _close(code: int, reason: bytes = b"") -> bytes:
    return frame(CLOSE, code.to_bytes(2, "big") + reason)


def _cases() -> list[Case]:
    return [
        *(_case(f"code {code}", _close(code), PROTOCOL, "RFC 6455, 7.4") for code in _BAD_CODES),
        *(_case(f"code {code}", _close(code), Closed(code, "peer"), "RFC 6455, 7.4") for code in _GOOD_CODES),
        *(_case(f"code {code}", _close(code), PEER, "RFC 6455, 7.4.1") for code in _CLIENTS_OWN),
        *(
            _case(f"reason with {name}", _close(1000, reason), NOT_UTF8, "RFC 6455, 5.5.1")
            for name, reason in _BAD_REASONS.items()
        ),
        _case("one byte", frame(CLOSE, b"\x03"), PROTOCOL, "RFC 6455, 5.5.1"),
        _case("nothing", frame(CLOSE), Closed(None, "", reason="peer"), "RFC 6455, 5.5.1"),
        _case("reason of 123 bytes", _close(1000, b"a" * 123), PEER, "RFC 6455, 5.5"),
        _case("reason of 124 bytes", _close(1000, b"a" * 124), PROTOCOL, "RFC 6455, 5.5"),
        _case("reason of 60 thousand bytes", _close(1000, b"a" * 60_000), PROTOCOL, "RFC 6455, 5.5"),
        _case("bad code and bad reason", _close(1005, b"\xff"), PROTOCOL, "RFC 6455, 7.4"),
        *_behind(),
        *_in_the_middle(),
    ]


def _behind() -> list[Case]:
    """Return what is sent behind a close: "discarding any further data received" (1.4)."""
    rule, close = "RFC 6455, 1.4", _close(1000)
    behind = {
        "text": frame(TEXT, b"hello"),
        "binary message": frame(BINARY, b"hello"),
        "ping": frame(PING, b"hello"),
        "second close": _close(1001),
        "bad frame": b"\xff\xff",
        "megabyte": bytes(1_000_000),
    }
    return [
        *(_case(f"{name} behind a close", close + data, PEER, rule) for name, data in behind.items()),
        _case("text before a close", frame(TEXT, b"hello") + close, Closed(1000, "peer", ("hello",)), rule),
        Case("end of the stream behind a close", (join, close, shut), PEER, "RFC 6455, 7.1.1"),
    ]


def _in_the_middle() -> list[Case]:
    half = frame(TEXT, b"hel", is_final=False)
    return [
        _case("close inside a message", half + _close(4000), Closed(4000, "peer"), "RFC 6455, 5.4"),
        _case(
            "close inside a message, then its end",
            half + _close(1000) + frame(CONTINUATION, b"lo"),
            PEER,
            "RFC 6455, 1.4",
        ),
        _case("bad close inside a message", half + _close(1006), PROTOCOL, "RFC 6455, 7.4"),
        Case("close in single bytes", (join, *[_close(1000)[at : at + 1] for at in range(8)]), PEER, "RFC 6455, 5.2"),
        Case("half a close, then the end", (join, _close(1000)[:5], shut), gone(), "RFC 6455, 7.1.5"),
    ]


def _case(name: str, data: bytes, outcome: Outcome, rule: str) -> Case:
    return Case(name, (join, data), outcome, rule)


CASES: Final = _cases()
