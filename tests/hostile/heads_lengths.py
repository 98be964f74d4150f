"""Smuggling: heads that announce a body, in every spelling that two readers may read differently.

Behind each head follows what a lenient reader would take for a body, and then a
request of its own. A proxy that sees one length and a server that sees another
disagree on where the next request begins, and the attacker writes the head of
somebody else's. The strict answer is one 400 and the end of the connection: the
public door takes no body at all, and nothing behind a head that announces one is
ever read as a request.

Rules: RFC 9112, section 6, and RFC 9110, section 8.6.
"""

from __future__ import annotations

from typing import Final

from tests.hostile.cases import ROOM, Case
from tests.hostile.outcomes import Accepted, Refused
from tests.wire import get, rfc6455_head

MALFORMED: Final = Refused(400, "malformed")

_SMUGGLED: Final = b"GET /rooms/smuggled HTTP/1.1\r\nHost: relay.example\r\n\r\n"
_BODY: Final = b"5\r\nhello\r\n0\r\n\r\n" + _SMUGGLED

# Each is the value of a Content-Length.
_LENGTHS: Final = {
    "the length of what follows": "5",
    "the length of one byte": "1",
    "eight, as hixie-76 announces, with the key of RFC 6455": "8",
    "plus": "+0",
    "minus nothing": "-0",
    "negative": "-1",
    "hexadecimal": "0x0",
    "hexadecimal, of a body": "0x5",
    "octal": "010",
    "two zeros": "00",
    "zero with a fraction": "0.0",
    "zero with an exponent": "0e0",
    "zero with a thousands' separator": "0_0",
    "two numbers with a blank": "0 0",
    "two equal numbers in a list": "0, 0",
    "two equal numbers in a list without a blank": "0,0",
    "two equal numbers in a list, far apart": "0" + " " * 15_000 + ",0",
    "two numbers in a list": "0, 5",
    "a list that ends empty": "0,",
    "a list that begins empty": ",0",
    "quoted": '"0"',
    "with a parameter": "0;q=1",
    "empty": "",
    "a word": "zero",
    "digits beyond ASCII": "\xb2",
    "more than any integer holds": "18446744073709551616",
    "five thousand digits": "9" * 5000,
    "five thousand zeros": "0" * 5000,
}

# Each is the value of a Transfer-Encoding.
_CODINGS: Final = {
    "chunked": "chunked",
    "in another case": "ChUnKeD",
    "behind a tab": "\tchunked",
    "behind many blanks": "     chunked",
    "before a tab": "chunked\t",
    "quoted": '"chunked"',
    "in single quotes": "'chunked'",
    "with a parameter": "chunked;q=1",
    "with a comma": "chunked,",
    "with a comma in front": ",chunked",
    "twice in one line": "chunked, chunked",
    "before identity": "chunked, identity",
    "behind identity": "identity, chunked",
    "behind gzip": "gzip, chunked",
    "identity": "identity",
    "gzip": "gzip",
    "one letter more": "xchunked",
    "one letter less": "chunke",
    "with a blank inside": "chun ked",
    "a coding that does not exist": "cow",
    "empty": "",
    "with a byte beyond ASCII": "chunked\xff",
    "with a no-break space": "\xa0chunked",
}

# Whole header lines, for what is no matter of a value.
_LINES: Final = {
    "two equal lengths of nothing": ("Content-Length: 0", "Content-Length: 0"),
    "two equal lengths": ("Content-Length: 5", "Content-Length: 5"),
    "two lengths": ("Content-Length: 0", "Content-Length: 5"),
    "two lengths in two cases": ("Content-Length: 0", "CONTENT-LENGTH: 0"),
    "two lengths, one of them empty": ("Content-Length: 0", "Content-Length:"),
    "a length, then a coding": ("Content-Length: 5", "Transfer-Encoding: chunked"),
    "a coding, then a length": ("Transfer-Encoding: chunked", "Content-Length: 5"),
    "a coding beside no length": ("Content-Length: 0", "Transfer-Encoding: chunked"),
    "two codings": ("Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
    "two equal codings": ("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
    "a coding in small letters": ("transfer-encoding: chunked",),
    "a blank before the colon of a coding": ("Transfer-Encoding : chunked",),
    "a tab before the colon of a coding": ("Transfer-Encoding\t: chunked",),
    "a blank before the colon of a length": ("Content-Length : 5",),
    "a coding in a folded line": ("Accept: a", " Transfer-Encoding: chunked"),
    "a coding whose value is folded": ("Transfer-Encoding:", " chunked"),
    "a coding whose value is folded with a tab": ("Transfer-Encoding:", "\tchunked"),
    "a coding behind a bare CR": ("Accept: a\rTransfer-Encoding: chunked",),
    "a coding behind a bare LF": ("Accept: a\nTransfer-Encoding: chunked",),
    "a coding behind a NUL": ("Transfer-Encoding: \0chunked",),
    "a coding before a vertical tab": ("Transfer-Encoding: chunked\v",),
    "a coding before a form feed": ("Transfer-Encoding: chunked\f",),
    "a length behind a bare CR": ("Accept: a\rContent-Length: 5",),
    "a length behind a bare LF": ("Accept: a\nContent-Length: 5",),
}

# What only looks like one: names that nothing here gives another meaning.
_HARMLESS: Final = {
    "a length of nothing": ("Content-Length: 0",),
    "a length of nothing among blanks": ("Content-Length: \t 0 \t",),
    "a length with an underscore in its name": ("Content_Length: 5",),
    "a coding with an underscore in its name": ("Transfer_Encoding: chunked",),
    "a length named by Connection": ("Connection: Content-Length", "Content-Length: 0"),
    "trailers that are announced": ("TE: trailers", "Trailer: Content-Length"),
    "an expectation": ("Expect: 100-continue",),
}


def _cases() -> list[Case]:
    lengths = {f"Content-Length: {name}": (f"Content-Length: {value}",) for name, value in _LENGTHS.items()}
    codings = {f"Transfer-Encoding: {name}": (f"Transfer-Encoding: {value}",) for name, value in _CODINGS.items()}
    return [
        *(_refused(name, lines, "RFC 9112, 6.3") for name, lines in lengths.items()),
        *(_refused(name, lines, "RFC 9112, 6.1") for name, lines in codings.items()),
        *(_refused(name, lines, "RFC 9112, 6.3, item 3") for name, lines in _LINES.items()),
        *(Case(name, (rfc6455_head(ROOM, *lines),), Accepted(), "RFC 9112, 6.3") for name, lines in _HARMLESS.items()),
        Case(
            "a body, announced to the page",
            (get("/", "Content-Length: 5"), _BODY),
            MALFORMED,
            "RFC 9110, 9.3.1: content of a GET has no meaning",
        ),
        Case(
            "a body that nothing announces",
            (get("/") + b"hello", _SMUGGLED),
            Refused(200, "page"),
            "RFC 9112, 9.6: one answer, then the end",
        ),
        Case(
            "a second request behind a refusal",
            (rfc6455_head("/nowhere") + rfc6455_head(ROOM),),
            Refused(404, "not_found", "rfc6455"),
            "RFC 9112, 9.6: one answer, then the end",
        ),
        Case(
            "two hundred requests behind a refusal",
            (get("/nowhere") * 200,),
            Refused(404, "not_found"),
            "RFC 9112, 9.6: one answer, then the end",
        ),
    ]


def _refused(name: str, lines: tuple[str, ...], rule: str) -> Case:
    return Case(name, (rfc6455_head(ROOM, *lines) + _BODY,), MALFORMED, rule)


CASES: Final = _cases()
