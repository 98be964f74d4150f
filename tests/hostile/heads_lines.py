"""Lines of a head that two readers may cut in two ways: line ends, folds, control characters, names.

A reader that takes a bare LF or CR for the end of a line sees a header where
another sees a part of a value; one that ignores a NUL sees the other name. The
strict answer to each is 400, and the connection ends.

Rules: RFC 9112, sections 2.2 and 5, and RFC 9110, section 5.5.
"""

from __future__ import annotations

from typing import Final

from tests.hostile.cases import ROOM, Case, Step
from tests.hostile.outcomes import Accepted, Refused
from tests.wire import get, rfc6455_head

MALFORMED: Final = Refused(400, "malformed")

# All but the tab, which is a blank, and CR and LF, which have cases of their own.
_CONTROLS: Final = [*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F]

# "token" has none of them (RFC 9110, 5.6.2). The colon ends a name.
_DELIMITERS: Final = '"(),/;<=>?@[\\]{} \t'

_GOOD: Final = rfc6455_head(ROOM)

_ENDS: Final = {
    "LF for every line end": _GOOD.replace(b"\r\n", b"\n"),
    "LF behind the request line": _GOOD.replace(b"\r\n", b"\n", 1),
    "LF behind one header": rfc6455_head(ROOM, "A: b\nC: d"),
    "LF for the blank line": _GOOD[:-2] + b"\n",
    "LF LF for the end": _GOOD[:-4] + b"\n\n",
    "LF CR for every line end": _GOOD.replace(b"\r\n", b"\n\r"),
    "bare CR inside a value": rfc6455_head(ROOM, "A: b\rC: d"),
    "bare CR inside a name": rfc6455_head(ROOM, "A\rB: c"),
    "CR CR LF behind one header": rfc6455_head(ROOM, "A: b\r"),
    "CR CR LF for the blank line": _GOOD[:-2] + b"\r\r\n",
    "bare CR inside the request line": _GOOD.replace(b" HTTP", b"\r HTTP", 1),
    "folded with a blank": rfc6455_head(ROOM, "A: b", " c"),
    "folded with a tab": rfc6455_head(ROOM, "A: b", "\tc"),
    "folded before the first header": _GOOD.replace(b"\r\nHost", b"\r\n Host", 1),
    "folded into the key": rfc6455_head(ROOM, " more"),
    "a line of one blank": rfc6455_head(ROOM, " "),
    "a line of one tab": rfc6455_head(ROOM, "\t"),
}

_NAMES: Final = {
    "no colon": "A",
    "no name": ": b",
    "nothing but a colon": ":",
    "blank before the colon": "A : b",
    "tab before the colon": "A\t: b",
    "name beyond ASCII, in UTF-8": "\xc3\xa9: b",
    "name beyond ASCII, in Latin-1": "\xe9: b",
    "name that begins with a byte order mark": "\xef\xbb\xbfOrigin: null",
    "name with a NUL": "A\0B: c",
    "name with a vertical tab": "A\vB: c",
    "request line among the headers": "GET / HTTP/1.1",
    "status line among the headers": "HTTP/1.1 200 OK",
}

_HARMLESS: Final = {
    "value beyond ASCII": "A: \xe9\xff",
    "tabs in a value": "A: \tb\tc\t",
    "empty value": "A:",
    "no blank behind the colon": "A:b",
    "a thousand blanks before a value": "A:" + " " * 1000 + "b",
    "colons in a value": "A: b: c: d",
    "name of all the odd characters of a token": "!#$%&'*+-.^_`|~: b",
    "name of a pseudo-header, with a dot": ".path: /",
}


def _starts() -> list[Case]:
    """Return what stands in front of the request line. "ignore at least one empty line": we ignore exactly one."""
    rule = "RFC 9112, 2.2"
    refused: dict[str, tuple[Step, ...]] = {
        "two empty lines in front": (b"\r\n\r\n" + _GOOD,),
        "bare LF in front": (b"\n" + _GOOD,),
        "bare CR in front": (b"\r" + _GOOD,),
        "blank in front": (b" " + _GOOD,),
        "tab in front": (b"\t" + _GOOD,),
        "NUL in front": (b"\0" + _GOOD,),
        "byte order mark in front": (b"\xef\xbb\xbf" + _GOOD,),
        "blank line that is blank in front": (b" \r\n" + _GOOD,),
    }
    return [
        Case("one empty line in front", (b"\r\n" + _GOOD,), Accepted(), rule),
        *(Case(name, steps, MALFORMED, rule) for name, steps in refused.items()),
    ]


def _cases() -> list[Case]:
    controls = [f"0x{number:02x}" for number in _CONTROLS]
    in_values = {f"{name} in a value": f"A: b{chr(int(name, 16))}c" for name in controls}
    in_names = {f"{delimiter!r} in a name": f"A{delimiter}B: c" for delimiter in _DELIMITERS}
    return [
        *_starts(),
        *(Case(name, (head,), MALFORMED, "RFC 9112, 2.2 and 5.2") for name, head in _ENDS.items()),
        *(_refused(name, line, "RFC 9110, 5.5") for name, line in in_values.items()),
        *(_refused(name, line, "RFC 9110, 5.6.2") for name, line in (in_names | _NAMES).items()),
        *(_accepted(name, line) for name, line in _HARMLESS.items()),
        Case("fold in a request for the page", (get("/", "A: b", " c"),), MALFORMED, "RFC 9112, 5.2"),
    ]


def _refused(name: str, line: str, rule: str) -> Case:
    return Case(name, (rfc6455_head(ROOM, line),), MALFORMED, rule)


def _accepted(name: str, line: str) -> Case:
    return Case(name, (rfc6455_head(ROOM, line),), Accepted(), "RFC 9110, 5.5")


CASES: Final = _cases()
