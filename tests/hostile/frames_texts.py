"""Text that is not UTF-8, in every classic form, whole and cut between two frames at every byte.

A room must not carry what some of its members would have to refuse. So the
sender is closed with 1007 at the first byte that cannot be right, wherever the
cut is, and without waiting for the rest of the frame.

Rules: RFC 6455, sections 5.6 and 8.1; RFC 3629, section 3; Unicode, table 3-7.
"""

from __future__ import annotations

from typing import Final

from tests.hostile.cases import Case
from tests.hostile.outcomes import Closed, Stays
from tests.hostile.steps import join
from tests.wire import BINARY, CONTINUATION, PING, TEXT, frame

NOT_UTF8: Final = Closed(1007, "not_utf8")

_BAD: Final = {
    "lone continuation 80": b"\x80",
    "lone continuation BF": b"\xbf",
    "two continuations": b"\x80\xbf",
    "first byte alone, of two": b"\xc3",
    "first byte alone, of three": b"\xe2",
    "first byte alone, of four": b"\xf0",
    "two bytes of three": b"\xe2\x82",
    "two bytes of four": b"\xf0\x9f",
    "three bytes of four": b"\xf0\x9f\x98",
    "first byte, then a letter": b"\xc3a",
    "two bytes of three, then a letter": b"\xe2\x82a",
    "three bytes of four, then a letter": b"\xf0\x9f\x98a",
    "first byte after first byte": b"\xc3\xc3\xa9",
    "overlong NUL": b"\xc0\x80",
    "overlong slash": b"\xc0\xaf",
    "overlong delete": b"\xc1\xbf",
    "overlong slash in three bytes": b"\xe0\x80\xaf",
    "overlong U+07FF": b"\xe0\x9f\xbf",
    "overlong slash in four bytes": b"\xf0\x80\x80\xaf",
    "overlong U+FFFF": b"\xf0\x8f\xbf\xbf",
    "surrogate D800": b"\xed\xa0\x80",
    "surrogate DBFF": b"\xed\xaf\xbf",
    "surrogate DC00": b"\xed\xb0\x80",
    "surrogate DFFF": b"\xed\xbf\xbf",
    "pair of surrogates (CESU-8)": b"\xed\xa0\xbd\xed\xb8\x80",
    "U+110000": b"\xf4\x90\x80\x80",
    "first byte F5": b"\xf5\x80\x80\x80",
    "five bytes": b"\xf8\x88\x80\x80\x80",
    "six bytes": b"\xfc\x84\x80\x80\x80\x80",
    "byte FE": b"\xfe",
    "byte FF": b"\xff",
    "UTF-16 with its mark": b"\xff\xfea\x00",
    "Latin-1": b"caf\xe9 noir",
    "Windows' quotes": b"\x93hello\x94",
    "good, bad, good": b"\xce\xba\xe1\xbd\xb9\xed\xa0\x80edited",
}

_GOOD: Final = {
    "U+D7FF and U+E000, around the surrogates": "\ud7ff\ue000",
    "U+10FFFF, the last": "\U0010ffff",
    "noncharacters": "\ufffe\uffff\ufdd0\U0001fffe",
    "NUL": "\0",
    "every control character": "".join(map(chr, (*range(0x20), *range(0x7F, 0xA0)))),
    "a byte order mark": "\ufeffhello",
    "marks that turn the direction of writing": "\u202ehello\u2066",
    "a thousand combining marks": "e" + "\u0301" * 1000,
    "markup": "<script>alert(1)</script>",
    "U+FFFD": "\ufffd",
}


def _cut(data: bytes, position: int) -> bytes:
    return frame(TEXT, data[:position], is_final=False) + frame(CONTINUATION, data[position:])


def _cases() -> list[Case]:
    rule = "RFC 6455, 8.1"
    whole = {name: frame(TEXT, data) for name, data in _BAD.items()}
    cut = {f"{name}, cut at {at}": _cut(data, at) for name, data in _BAD.items() for at in range(1, len(data))}
    behind = {f"{name}, behind 200 letters": frame(TEXT, b"a" * 200 + data) for name, data in _BAD.items()}
    return [
        *(Case(name, (join, data), NOT_UTF8, rule) for name, data in (whole | cut | behind).items()),
        *(
            Case(f"good: {name}", (join, frame(TEXT, text.encode())), Stays((text,)), rule)
            for name, text in _GOOD.items()
        ),
        *(
            Case(f"good: {name}, one byte a frame", (join, _in_single_bytes(text.encode())), Stays((text,)), rule)
            for name, text in list(_GOOD.items())[:3]
        ),
        Case(
            "every bad form at once, as a binary message", (join, frame(BINARY, _ALL)), Stays((_ALL,)), "RFC 6455, 5.6"
        ),
        # Nothing follows: the relay must not wait for the 99 bytes that were announced.
        Case("bad byte in a frame that does not end", (join, frame(TEXT, b"\xff" * 100)[:7]), NOT_UTF8, rule),
        Case("surrogate in a frame that does not end", (join, frame(TEXT, _LATE)[:10]), NOT_UTF8, rule),
        Case("bad byte, with a ping between", (join, _with_a_ping_between()), NOT_UTF8, rule),
        Case(
            "good text, then a bad one",
            (join, frame(TEXT, b"hello") + frame(TEXT, b"\xff")),
            Closed(1007, "not_utf8", ("hello",)),
            "RFC 6455, 7.1.7",
        ),
    ]


_ALL: Final = b"".join(_BAD.values())
_LATE: Final = b"\xed\xa0" * 100


def _in_single_bytes(data: bytes) -> bytes:
    first, *rest = (data[at : at + 1] for at in range(len(data)))
    middle = b"".join(frame(CONTINUATION, byte, is_final=False) for byte in rest)
    return frame(TEXT, first, is_final=False) + middle + frame(CONTINUATION)


def _with_a_ping_between() -> bytes:
    return frame(TEXT, b"\xe2\x82", is_final=False) + frame(PING) + frame(CONTINUATION, b"a")


CASES: Final = _cases()
