"""A request, and what its headers must not say together.

Each line of the head has been judged for itself by then (``http.py``). What is
left are the rules that take more than one line: which header must be there once,
which at most once, and that nothing announces a body. A head that breaks them is
one of which two readers, a proxy and us, may come to believe different things.

Errors name the header and the rule, never the value: heads hold cookies and
tokens, and errors reach logs.

Source: RFC 9110 and RFC 9112.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address
from typing import cast

import h11

from roomcast.protocol.errors import HandshakeError, HandshakeFault

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
_AT_MOST_ONCE = _KEY3_HEADERS | {
    "access-control-request-method",
    "last-event-id",
    "origin",
    "sec-fetch-site",
    "sec-websocket-key",
    "sec-websocket-version",
    "upgrade",
}


@dataclass(frozen=True, slots=True)
class Request:
    """A request whose head kept all the rules.

    Attributes:
        target: The request target, in origin form, as it was sent.
        headers: Names in lower case, and values without the blanks around them
            but otherwise byte for byte (one character each, Latin-1).
        method: ``GET`` or ``OPTIONS``.
    """

    target: str
    headers: tuple[tuple[str, str], ...]
    method: str = "GET"

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


def parse(head: bytes) -> Request:
    """Return the request of a whole head, with its blank line.

    Args:
        head: A request line and header lines, each as ``http.py`` lets it pass.

    Raises:
        HandshakeError: With status 400, if its headers contradict each other,
            name no host, or announce a body.
    """
    parser = h11.Connection(h11.SERVER)
    parser.receive_data(head)
    try:
        # It cannot ask for more: the blank line is there.
        event = cast("h11.Request", parser.next_event())
    except h11.RemoteProtocolError:
        # Without the cause: h11 quotes headers, and errors reach logs.
        raise _refusal_by_h11(len(_HOST_LINE.findall(head))) from None
    headers = tuple((name.decode(), value.decode("latin-1")) for name, value in event.headers)
    request = Request(event.target.decode(), headers, event.method.decode())
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
    _check_no_body(request, head, may_announce_key3=request.method == "GET" and seen >= _KEY3_HEADERS)


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
