"""The head of an HTTP request, line by line, and whole answers other than 101.

The public door takes GET, and OPTIONS where a browser asks whether it may; so nothing
here reads a body: a head ends at its blank line, and what follows is the dialect's (the
eight bytes of hixie-76, frames that a hasty client sent along).

h11 parses the head (``request.py``), but is more lenient than a door to the
internet should be: it takes LF for CRLF, joins folded lines (which collapses the
spaces that a hixie-76 key is made of), lets control characters pass, and lets a
complete head be longer than its limit. So each line is checked as soon as it is
complete, before h11 sees any. Every check belongs to one byte of the head, the
one that decides it; that is why the answer does not depend on how the bytes
arrive.

Errors name the line and the rule, never the line's content: heads hold cookies
and tokens, and errors reach logs.

Source: RFC 9110 and RFC 9112.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from http import HTTPStatus

from roomcast.protocol.errors import HandshakeError, HandshakeFault
from roomcast.protocol.request import Request, parse

_TOKEN = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""The characters of a token (RFC 9110, 5.6.2): of methods and of header names."""

_METHOD_MAX_BYTES = 16
"""No registered method but WebDAV's UPDATEREDIRECTREF is longer."""

# How other protocols begin, that look like one.
_NO_METHODS = (b"PRI", b"PROXY")

_BAD_GET = HandshakeFault.INVALID_GET_REQUEST

GET_ONLY = frozenset((b"GET",))
"""What is taken by whoever only shakes hands."""

GET_AND_OPTIONS = GET_ONLY | {b"OPTIONS"}
"""And by a door that pages may read from."""

# Origin form only, and "*", which only OPTIONS may name (RFC 9112, 3.2.4): the others are
# for proxies, and an absolute target could name another host than Host does. Not
# only the characters of RFC 3986: browsers leave some others as they are, fewer in a
# path than in a query (WHATWG URL). What no client leaves (quotes, angle brackets,
# the '#' of a fragment) is refused.
_REQUEST_LINE = re.compile(rb"(?:OPTIONS \*|(?:GET|OPTIONS) /[!$-;=@-Z\[\]^_a-z|~]*(?:\?[!$-;=?-~]*)?) HTTP/1\.1\r\n")
_NOT_ENCODED = re.compile(rb"(?:GET|OPTIONS) /[!-~]* HTTP/1\.1\r\n")
_VERSION = re.compile(rb" HTTP/(?!1\.1\r\n)\d\.\d\r\n\Z")
_FIELD_LINE = re.compile(rb"[" + re.escape(_TOKEN) + rb"]+:[\t -~\x80-\xff]*\r\n")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")

_HEADER_NAME = re.compile(r"[" + re.escape(_TOKEN.decode()) + r"]+")
_HEADER_VALUE = re.compile(r"[\t -~\x80-\xff]*")


class HeadDecoder:
    """Finds the end of one head in what a socket delivers, and reads it.

    Args:
        head_max_bytes: The longest head, its blank line included. Nothing is
            kept beyond it but what arrived in the same ``receive``.
        headers_max: The most header lines; the request line is not one.
        methods: Those that are taken: GET, OPTIONS, or both.
    """

    __slots__ = (
        "_buffer",
        "_head_max_bytes",
        "_headers_max",
        "_line_start",
        "_lines",
        "_method",
        "_methods",
        "_searched",
        "rest",
    )

    def __init__(self, head_max_bytes: int, headers_max: int, methods: Collection[bytes] = GET_ONLY) -> None:
        self._head_max_bytes = head_max_bytes
        self._headers_max = headers_max
        self._buffer = bytearray()
        self._methods = methods
        self._method = ""
        self._lines = 0
        self._line_start = 0
        self._searched = 0
        self.rest = b""
        """What followed the blank line, once there is a request."""

    def receive(self, data: bytes) -> Request | None:
        """Take what arrived; return the request when its head is complete, None before.

        Raises:
            HandshakeError: With status 400, 405 or 431, at the first byte that
                breaks a rule. The decoder is of no use afterwards.
        """
        self._buffer += data
        if not (self._method or self._has_method()):
            return None
        while (line_feed := self._buffer.find(b"\n", self._searched, self._head_max_bytes)) >= 0:
            start, self._line_start = self._line_start, line_feed + 1
            self._searched = self._line_start
            if self._buffer.startswith(b"\r\n", start):
                return self._finish()
            self._check_line(start, self._line_start)
        if len(self._buffer) >= self._head_max_bytes:
            text = f"the head is longer than head_max_bytes = {self._head_max_bytes}"
            raise HandshakeError(text, status=431, limit="head_max_bytes")
        # Remember how far we have looked: a peer that drips one byte at a time
        # must not make us search the same line for each of them.
        self._searched = len(self._buffer)
        return None

    def _has_method(self) -> bool:
        """Judge the first bytes as soon as they tell anything; False until then.

        Whoever speaks another protocol (TLS, HTTP/2) may wait for our answer
        without ever sending a line feed. It hears from us at once.
        """
        skipped = 2 if self._buffer.startswith(b"\r\n") else 0
        start = bytes(self._buffer[skipped : skipped + _METHOD_MAX_BYTES + 1])
        method = start[: len(start) - len(start.lstrip(_TOKEN))]
        if start == b"\r" or (start == method and len(start) <= _METHOD_MAX_BYTES):
            return False
        if method in self._methods and start[len(method) :].startswith(b" "):
            # "a server that is expecting to receive and parse a request-line
            # SHOULD ignore at least one empty line (CRLF) received prior to
            # the request-line" (RFC 9112, 2.2). We ignore exactly one.
            del self._buffer[:skipped]
            self._method = method.decode()
            return True
        raise _refusal_of_start(start, method)

    def _check_line(self, start: int, end: int) -> None:
        self._lines += 1
        if self._lines == 1:
            if not _REQUEST_LINE.fullmatch(self._buffer, start, end):
                raise HandshakeError(_fault_of_request_line(self._buffer[start:end], self._method), fault=_BAD_GET)
        elif self._lines > self._headers_max + 1:
            text = f"the head has more lines than headers_max = {self._headers_max}"
            raise HandshakeError(text, status=431, limit="headers_max")
        elif not _FIELD_LINE.fullmatch(self._buffer, start, end):
            fault = _fault_of_line(self._buffer[start:end]) or "is not name: value"
            raise HandshakeError(f"line {self._lines} {fault}")

    def _finish(self) -> Request:
        head = bytes(self._buffer[: self._searched])
        self.rest = bytes(self._buffer[self._searched :])
        self._buffer.clear()
        return parse(head)


def is_token(text: str) -> bool:
    """Tell whether this is a token, as names of headers and subprotocols are."""
    return _HEADER_NAME.fullmatch(text) is not None


def response(status: int, headers: Iterable[tuple[str, str]] = (), body: bytes = b"") -> bytes:
    """Return a whole answer, after which the connection is to be closed.

    Connection and Content-Length are added; an answer with a body should bring
    its Content-Type.

    Raises:
        ValueError: If a name or a value could end its line and begin another.
    """
    headers = tuple(headers)
    connection = "close"
    if any(name.lower() == "upgrade" for name, _ in headers):
        # "A sender of Upgrade MUST also send an "Upgrade" connection
        # option in the Connection header field" (RFC 9110, 7.8).
        connection = "close, Upgrade"
    # "A server MUST NOT send a Content-Length header field in any response with a
    # status code of … 204 (No Content)" (RFC 9110, 8.6).
    length = () if status == HTTPStatus.NO_CONTENT else (("Content-Length", str(len(body))),)
    return head(status, (*headers, *length, ("Connection", connection))) + body


def head(status: int, headers: Iterable[tuple[str, str]]) -> bytes:
    """Return the head of an answer, with these headers and no others.

    Raises:
        ValueError: As ``response``.
    """
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    for name, value in headers:
        if not (_HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(value)):
            raise ValueError(f"header {name!r} would not stay on its line: {value!r}")
        lines.append(f"{name}: {value}")
    return "\r\n".join((*lines, "\r\n")).encode("latin-1")


def _refusal_of_start(start: bytes, method: bytes) -> HandshakeError:
    if method and start[len(method) :].startswith(b" ") and method not in _NO_METHODS:
        message = f"the method is {method.decode()}, not GET"
        return HandshakeError(message, status=405, fault=_BAD_GET, headers=(("Allow", "GET"),))
    if method == b"PRI":
        message = "the connection begins as HTTP/2: this door speaks HTTP/1.1"
    elif method == b"PROXY":
        message = "the connection begins with a PROXY header, which is read from trusted_proxies, with proxy_protocol"
    elif start[0] == 0x16:
        # The content type of a TLS record that carries a handshake.
        message = "the first byte is 0x16, a TLS handshake: this door speaks plain HTTP"
    elif len(method) > _METHOD_MAX_BYTES:
        message = f"the method is longer than {_METHOD_MAX_BYTES} bytes"
    else:
        message = f"byte 0x{start[len(method)]:02x} cannot be in an HTTP method"
    return HandshakeError(message, fault=_BAD_GET)


def _fault_of_request_line(line: bytearray, method: str) -> str:
    if fault := _fault_of_line(line):
        return f"the request line {fault}"
    if version := _VERSION.search(line):
        return f"the version is {version[0].decode().strip()}, not HTTP/1.1"
    if _NOT_ENCODED.fullmatch(line):
        return "the target holds a fragment, or a character that is percent-encoded in a target"
    what = f"{method}, a path that begins with a slash, and HTTP/1.1, with one space between them"
    return f"the request line is not {what}"


def _fault_of_line(line: bytearray) -> str | None:
    """Say what no line of a head may do and this one does, if anything."""
    if not line.endswith(b"\r\n"):
        return "ends with LF, not CRLF"
    if line[0] in b" \t":
        return "begins with a blank: folded headers are refused"
    if control := _CONTROL.search(line, 0, len(line) - 2):
        return f"holds the control character 0x{control[0][0]:02x}"
    return None
