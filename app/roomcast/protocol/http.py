"""The head of an HTTP request, and whole answers other than 101.

The public door takes GET only, so nothing here reads a body: a head ends at
its blank line, and what follows is the dialect's (the eight bytes of hixie-76,
frames that a hasty client sent along).

h11 parses the head, but is more lenient than a door to the internet should be:
it takes LF for CRLF, joins folded lines (which collapses the spaces that a
hixie-76 key is made of), lets control characters pass, and lets a complete
head be longer than its limit. So each line is checked as soon as it is
complete, before h11 sees any. Every check belongs to one byte of the head, the
one that decides it; that is why the answer does not depend on how the bytes
arrive.

Errors name the line and the rule, never the line's content: heads hold cookies
and tokens, and errors reach logs.

Source: RFC 9110 and RFC 9112.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import AddressValueError, IPv6Address
from typing import cast

import h11

from roomcast.protocol.errors import HandshakeError, HandshakeFault

_TOKEN = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""The characters of a token (RFC 9110, 5.6.2): of methods and of header names."""

_METHOD_MAX_BYTES = 16
"""No registered method but WebDAV's UPDATEREDIRECTREF is longer."""

# How other protocols begin, that look like one.
_NO_METHODS = (b"PRI", b"PROXY")

_BAD_GET = HandshakeFault.INVALID_GET_REQUEST

# Origin form only: the others are for proxies, and an absolute target could
# name another host than Host does. Not only the characters of RFC 3986: browsers
# leave some others as they are, fewer in a path than in a query (WHATWG URL). What
# no client leaves (quotes, angle brackets, the '#' of a fragment) is refused.
_REQUEST_LINE = re.compile(rb"GET /[!$-;=@-Z\[\]^_a-z|~]*(?:\?[!$-;=?-~]*)? HTTP/1\.1\r\n")
_NOT_ENCODED = re.compile(rb"GET /[!-~]* HTTP/1\.1\r\n")
_VERSION = re.compile(rb" HTTP/(?!1\.1\r\n)\d\.\d\r\n\Z")
_FIELD_LINE = re.compile(rb"[" + re.escape(_TOKEN) + rb"]+:[\t -~\x80-\xff]*\r\n")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_HOST_LINE = re.compile(rb"\r\nhost:", re.IGNORECASE)
# With its blanks: to leave them out in here would be to look for the end of a value at
# each of them, and 15 KiB of blanks, with more behind, would keep everybody for seconds.
_LENGTH_LINE = re.compile(rb"\r\ncontent-length:([^\r]*)", re.IGNORECASE)

# Underscores are in no host name by the book, and in every second one that a
# container engine makes up. Names beyond ASCII arrive as their A-labels.
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?)(?::([0-9]{1,5}))?")
_HOST_MAX_BYTES = 255
_PORT_MAX = 65535

# Two of these, and two readers of one head (a proxy and us) may each believe
# another one. Host is counted apart, for it must not be missing either.
_KEY3_HEADERS = frozenset(("sec-websocket-key1", "sec-websocket-key2"))
_AT_MOST_ONCE = _KEY3_HEADERS | {"origin", "upgrade", "sec-websocket-key", "sec-websocket-version"}

_HEADER_NAME = re.compile(r"[" + re.escape(_TOKEN.decode()) + r"]+")
_HEADER_VALUE = re.compile(r"[\t -~\x80-\xff]*")


@dataclass(frozen=True, slots=True)
class Request:
    """A GET whose head kept all the rules of this file.

    Attributes:
        target: The request target, in origin form, as it was sent.
        headers: Names in lower case, and values without the blanks around them
            but otherwise byte for byte (one character each, Latin-1).
    """

    target: str
    headers: tuple[tuple[str, str], ...]

    @property
    def path(self) -> str:
        """The target without its query string, still percent-encoded."""
        return self.target.partition("?")[0]

    @property
    def host(self) -> str:
        """The Host header as it was sent: a name or an address, perhaps a port."""
        return self.get("host") or ""

    @property
    def origin(self) -> str | None:
        """The Origin header as it was sent. An empty one is not a missing one."""
        return self.get("origin")

    def get(self, name: str) -> str | None:
        """Return the first value of this header, None without one. Case does not matter."""
        wanted = name.lower()
        for header, value in self.headers:
            if header == wanted:
                return value
        return None

    def all(self, name: str) -> list[str]:
        """Return every value of this header, in the order of the head."""
        wanted = name.lower()
        return [value for header, value in self.headers if header == wanted]

    def tokens(self, name: str) -> list[str]:
        """Return the members of a comma-separated header, in lower case, over all its lines."""
        members = ",".join(self.all(name)).lower().split(",")
        return [token for member in members if (token := member.strip(" \t"))]


class HeadDecoder:
    """Finds the end of one head in what a socket delivers, and reads it.

    Args:
        head_max_bytes: The longest head, its blank line included. Nothing is
            kept beyond it but what arrived in the same ``receive``.
        headers_max: The most header lines; the request line is not one.
    """

    __slots__ = ("_buffer", "_head_max_bytes", "_headers_max", "_is_get", "_line_start", "_lines", "_searched", "rest")

    def __init__(self, head_max_bytes: int, headers_max: int) -> None:
        self._head_max_bytes = head_max_bytes
        self._headers_max = headers_max
        self._buffer = bytearray()
        self._is_get = False
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
        if not (self._is_get or self._starts_as_get()):
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

    def _starts_as_get(self) -> bool:
        """Judge the first bytes as soon as they tell anything; False until then.

        Whoever speaks another protocol (TLS, HTTP/2) may wait for our answer
        without ever sending a line feed. It hears from us at once.
        """
        skipped = 2 if self._buffer.startswith(b"\r\n") else 0
        start = bytes(self._buffer[skipped : skipped + _METHOD_MAX_BYTES + 1])
        method = start[: len(start) - len(start.lstrip(_TOKEN))]
        if start == b"\r" or (start == method and len(start) <= _METHOD_MAX_BYTES):
            return False
        if method == b"GET" and start[3:4] == b" ":
            # "a server that is expecting to receive and parse a request-line
            # SHOULD ignore at least one empty line (CRLF) received prior to
            # the request-line" (RFC 9112, 2.2). We ignore exactly one.
            del self._buffer[:skipped]
            self._is_get = True
            return True
        raise _refusal_of_start(start, method)

    def _check_line(self, start: int, end: int) -> None:
        self._lines += 1
        if self._lines == 1:
            if not _REQUEST_LINE.fullmatch(self._buffer, start, end):
                raise HandshakeError(_fault_of_request_line(self._buffer[start:end]), fault=_BAD_GET)
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
        return _parse(head)


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
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    connection = "close"
    for name, value in headers:
        if not (_HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(value)):
            raise ValueError(f"header {name!r} would not stay on its line: {value!r}")
        if name.lower() == "upgrade":
            # "A sender of Upgrade MUST also send an "Upgrade" connection
            # option in the Connection header field" (RFC 9110, 7.8).
            connection = "close, Upgrade"
        lines.append(f"{name}: {value}")
    lines += [f"Content-Length: {len(body)}", f"Connection: {connection}", "\r\n"]
    return "\r\n".join(lines).encode("latin-1") + body


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


def _fault_of_request_line(line: bytearray) -> str:
    if fault := _fault_of_line(line):
        return f"the request line {fault}"
    if version := _VERSION.search(line):
        return f"the version is {version[0].decode().strip()}, not HTTP/1.1"
    if _NOT_ENCODED.fullmatch(line):
        return "the target holds a fragment, or a character that is percent-encoded in a target"
    return "the request line is not GET, a path that begins with a slash, and HTTP/1.1, with one space between them"


def _fault_of_line(line: bytearray) -> str | None:
    """Say what no line of a head may do and this one does, if anything."""
    if not line.endswith(b"\r\n"):
        return "ends with LF, not CRLF"
    if line[0] in b" \t":
        return "begins with a blank: folded headers are refused"
    if control := _CONTROL.search(line, 0, len(line) - 2):
        return f"holds the control character 0x{control[0][0]:02x}"
    return None


def _parse(head: bytes) -> Request:
    parser = h11.Connection(h11.SERVER)
    parser.receive_data(head)
    try:
        # It cannot ask for more: the blank line is there.
        event = cast("h11.Request", parser.next_event())
    except h11.RemoteProtocolError:
        # Without the cause: h11 quotes headers, and errors reach logs.
        raise _refusal_by_h11(len(_HOST_LINE.findall(head))) from None
    headers = tuple((name.decode(), value.decode("latin-1")) for name, value in event.headers)
    request = Request(event.target.decode(), headers)
    _check_headers(request, head)
    return request


def _refusal_by_h11(hosts: int) -> HandshakeError:
    """Say what is wrong: all that our own checks leave to h11 is one Host, and the length of a body."""
    if hosts == 0:
        return HandshakeError("the Host header is missing", fault=HandshakeFault.MISSING_HEADER_KEYS)
    if hosts > 1:
        return HandshakeError(f"there are {hosts} host headers, not one")
    return HandshakeError("the head announces a body, in a form that cannot be read")


def _check_headers(request: Request, head: bytes) -> None:
    seen = set()
    for name, _ in request.headers:
        if name in _AT_MOST_ONCE:
            if name in seen:
                raise HandshakeError(f"there are two {name} headers, not one")
            seen.add(name)
    if not _is_host(request.host):
        raise HandshakeError("the Host header is not a name or an address, and perhaps a port")
    _check_no_body(request, head, may_announce_key3=seen >= _KEY3_HEADERS)


def _check_no_body(request: Request, head: bytes, *, may_announce_key3: bool) -> None:
    """Refuse what announces a body, for the bytes after the head are read as frames.

    Some hixie-76 clients announce the eight bytes, which the draft does not
    count as a body. They are the same eight bytes either way.
    """
    if request.get("transfer-encoding") is not None:
        raise HandshakeError("the head announces a body: Transfer-Encoding is refused")
    length = request.get("content-length")
    if length is None:
        return
    if length != "0" and not (may_announce_key3 and length == "8"):
        raise HandshakeError("the head announces a body: Content-Length is neither 0 nor, with two keys, 8")
    # h11 makes one "0" of "0, 0" and of two lines. Other parsers refuse both,
    # so this head came past none of them.
    if [value.strip(b" \t") for value in _LENGTH_LINE.findall(head)] != [length.encode()]:
        raise HandshakeError("the head announces a body: there is more than one Content-Length")


def _is_host(value: str) -> bool:
    match = _HOST.fullmatch(value)
    if match is None or len(value) > _HOST_MAX_BYTES:
        return False
    literal, port = match.groups()
    return (literal is None or _is_ipv6(literal)) and (port is None or 0 < int(port) <= _PORT_MAX)


def _is_ipv6(literal: str) -> bool:
    try:
        IPv6Address(literal)
    except AddressValueError:
        return False
    return True
