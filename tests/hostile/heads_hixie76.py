"""Handshakes of hixie-76: keys that hide no number, and the eight bytes that are late, half, or never there.

Rules: draft-hixie-thewebsocketprotocol-76, sections 5.1 and 5.2.
"""

from __future__ import annotations

from typing import Final

from tests.hostile.cases import IMPATIENT, ROOM, Case
from tests.hostile.outcomes import Refused, StaysHixie76, Unanswered, gone_before_101, handshake, hit
from tests.hostile.steps import drip, read_until, reset, shut
from tests.wire import KEY1, KEY2, KEY3, TOKEN, get, hixie76_head

MALFORMED: Final = Refused(400, "malformed")

_UPGRADE: Final = ("Upgrade: WebSocket", "Connection: Upgrade")
_ORIGIN: Final = "Origin: http://relay.example"
_HEAD: Final = hixie76_head(ROOM)

# Each is the value of one of the two keys.
_KEYS: Final = {
    "empty": "",
    "without a blank": "123456",
    "without a digit": "a b c",
    "blanks alone": "    ",
    "that does not divide": "1 0 1 2",
    "with tabs for blanks": "1\t2\t3\t4",
    "with a quotient of 2^32": "4294967296 a",
    "with a quotient of 2^32 among five blanks": "21474836480 a b c d e",
    "with twenty-one digits": "1" * 21 + " a",
    "with five thousand digits": "1" * 5000 + " a",
    "with digits beyond ASCII": "\xb2 \xb3 a",
    "with a no-break space": "12\xa034",
    "negative": "-  -",
}

# Sets of lines that are no handshake of this dialect.
_SETS: Final = {
    "without an Origin": (*_UPGRADE, f"Sec-WebSocket-Key1: {KEY1}", f"Sec-WebSocket-Key2: {KEY2}"),
    "with the first key alone": (*_UPGRADE, _ORIGIN, f"Sec-WebSocket-Key1: {KEY1}"),
    "with the second key alone": (*_UPGRADE, _ORIGIN, f"Sec-WebSocket-Key2: {KEY2}"),
    "with two first keys": (*_UPGRADE, _ORIGIN, *[f"Sec-WebSocket-Key1: {KEY1}"] * 2, f"Sec-WebSocket-Key2: {KEY2}"),
    "with two second keys": (*_UPGRADE, _ORIGIN, f"Sec-WebSocket-Key1: {KEY1}", *[f"Sec-WebSocket-Key2: {KEY2}"] * 2),
    "without Connection": (_UPGRADE[0], _ORIGIN, f"Sec-WebSocket-Key1: {KEY1}", f"Sec-WebSocket-Key2: {KEY2}"),
}

_LENGTHS: Final = {
    "nine bytes announced": "Content-Length: 9",
    "seven bytes announced": "Content-Length: 7",
    "eight bytes announced twice": "Content-Length: 8, 8",
    "eight bytes announced as 08": "Content-Length: 08",
    "eight bytes announced in chunks": "Transfer-Encoding: chunked",
}


def _keys(key1: str, key2: str) -> tuple[bytes, ...]:
    lines = (*_UPGRADE, _ORIGIN, f"Sec-WebSocket-Key1: {key1}", f"Sec-WebSocket-Key2: {key2}")
    return (get(ROOM, *lines) + KEY3,)


def _late_cases() -> list[Case]:
    """Return what becomes of the eight bytes when they do not come with the head: nothing but time is spent."""
    head, rule = read_until(b"\r\n\r\n"), "draft-76, 5.2"
    gone_late = Unanswered({handshake("gone", "hixie76"): 1})
    timeout = Unanswered({handshake("timeout", "hixie76"): 1, hit("handshake_timeout_s", "refused"): 1})
    return [
        Case("eight bytes, late", (_HEAD, head, KEY3, read_until(TOKEN)), StaysHixie76(), rule),
        Case("eight bytes, one at a time", (_HEAD, head, drip(KEY3), read_until(TOKEN)), StaysHixie76(), rule),
        Case(
            "eight bytes, announced",
            (hixie76_head(ROOM, "Content-Length: 8") + KEY3, head, read_until(TOKEN)),
            StaysHixie76(),
            rule,
        ),
        Case("eight bytes, never", (_HEAD, head), timeout, "[limits] handshake_timeout_s", IMPATIENT),
        Case("seven of eight bytes", (_HEAD + KEY3[:7], head), timeout, "[limits] handshake_timeout_s", IMPATIENT),
        Case("half of eight bytes, then the end", (_HEAD + KEY3[:4], head, shut), gone_late, rule),
        Case(
            "half of eight bytes, then a reset",
            (_HEAD + KEY3[:4], head, reset),
            Unanswered(gone_late.counts, is_read=False),
            rule,
        ),
        Case("no byte, then the end", (_HEAD, head, shut), gone_late, rule),
    ]


def _cases() -> list[Case]:
    rule = "draft-76, 5.2"
    return [
        *(Case(f"first key {name}", _keys(key, KEY2), MALFORMED, rule) for name, key in _KEYS.items()),
        *(Case(f"second key {name}", _keys(KEY1, key), MALFORMED, rule) for name, key in _KEYS.items()),
        *(Case(f"keys {name}", (get(ROOM, *lines) + KEY3,), MALFORMED, rule) for name, lines in _SETS.items()),
        *(
            Case(name, (hixie76_head(ROOM, line) + KEY3,), MALFORMED, "RFC 9112, 6.3")
            for name, line in _LENGTHS.items()
        ),
        Case("head that ends in the key", (_HEAD[:-40], shut), gone_before_101(), rule),
        *_late_cases(),
    ]


CASES: Final = _cases()
