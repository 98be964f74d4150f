"""The header by which a proxy that passes bytes on says whose bytes they are: PROXY protocol, versions 1 and 2.

It stands before everything else on a connection, before TLS too, and whoever
comes next has to find the stream exactly behind it. So ``receive`` says how
many of the bytes that it was shown are the header's; the others are left where
they were.

Which version it is, the first byte tells. Whether there is one at all is never
guessed: a server that did would let every client say who it is. Who must send
one is known by its address, and the caller asks nobody else.

Two things that a header may hold are left alone. Of the attached values only
PP2_TYPE_SSL is read: whether the client spoke TLS. And a CRC32C is not checked:
what TCP has checked and a trusted proxy has sent would only be refused for a
fault that nobody has seen.

Source: HAProxy's proxy-protocol.txt, "The PROXY protocol, versions 1 & 2".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from roomcast.protocol.errors import HandshakeError

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
"""How version 2 begins: as nothing that speaks HTTP, TLS, SMTP or FTP does."""
HEADER_MAX_BYTES = 4096
"""The longest header that is read. The book's are made to fit into 536 bytes; clouds attach values of their own."""

_WORD = b"PROXY "
# "So a 108-byte buffer is always enough to store all the line and a trailing
# zero for string processing" (2.1).
_LINE_MAX_BYTES = 107
_ADDRESS = rb"([0-9A-Fa-f:.]{2,39})"
# "Heading zeroes are not permitted in front of numbers" (2.1).
_PORT = rb"(0|[1-9][0-9]{0,4})"
_LINE = re.compile(rb"PROXY TCP([46]) " + _ADDRESS + b" " + _ADDRESS + b" " + _PORT + b" " + _PORT + rb"\r\n")
# "The receiver must ignore anything presented before the CRLF is found" (2.1),
# but what could end a line for somebody else is no part of one.
_UNKNOWN_LINE = re.compile(rb"PROXY UNKNOWN(?: [ -~]*)?\r\n")
_PORT_MAX = 65_535

# Signature, version and command, family and protocol, length of what follows.
_FIXED_BYTES = 16
_LOCAL, _PROXY = 0x20, 0x21
LOCAL_HEADER = SIGNATURE + bytes((_LOCAL, 0, 0, 0))
"""What one sends who speaks for itself, as a health check does: of version 2, and without addresses."""
# By family and protocol: how long an address is, and how long all of them.
_TCP = {0x11: (4, 12), 0x21: (16, 36)}
_FAMILIES, _PROTOCOLS = range(4), range(3)

_TYPE_SSL = 0x20
_TLV_HEAD_BYTES = 3
# Of PP2_TYPE_SSL: one byte of flags, and whether the certificate was right.
_SSL_MIN_BYTES = 5
_CLIENT_SSL = 0x01


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """What a proxy says about a connection."""

    address: str | None = None
    """The client's; None where the proxy speaks for itself (a health check), or does not know."""
    is_secure: bool | None = None
    """Whether the client spoke TLS with it, None where it does not say. Version 1 has no word for that."""


class ProxyHeaderDecoder:
    """Reads the header of one connection, of either version, however its bytes are cut."""

    __slots__ = ("_buffer", "header")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.header: ProxyHeader | None = None
        """The header, once its last byte has come."""

    def receive(self, data: bytes) -> int:
        """Take of ``data`` what belongs to the header; return how many bytes that is.

        It is all of them until the last byte of the header has come, which is when
        ``header`` is there. What follows is not looked at.

        Raises:
            HandshakeError: With status 400, as soon as this can be no header.
                The decoder is of no use afterwards.
        """
        before = len(self._buffer)
        self._buffer += data
        end = self._end()
        if end is None or len(self._buffer) < end:
            return len(data)
        del self._buffer[end:]
        whole = bytes(self._buffer)
        self.header = _read_binary(whole) if whole.startswith(SIGNATURE) else _read_line(whole)
        return end - before

    def _end(self) -> int | None:
        """Return how long the header is, as soon as that is known."""
        buffer = self._buffer
        if _agree(buffer, SIGNATURE):
            return _end_of_binary(buffer)
        if not _agree(buffer, _WORD):
            raise HandshakeError("the connection does not begin with a PROXY header, as a trusted proxy's has to")
        line_feed = buffer.find(b"\n", 0, _LINE_MAX_BYTES)
        if line_feed < 0 and len(buffer) >= _LINE_MAX_BYTES:
            raise HandshakeError(f"the PROXY line does not end within {_LINE_MAX_BYTES} bytes")
        return line_feed + 1 if line_feed >= 0 else None


def _agree(buffer: bytearray, start: bytes) -> bool:
    """Tell whether this is the beginning of what begins so, as far as it has come."""
    return buffer.startswith(start) or start.startswith(buffer)


def _end_of_binary(buffer: bytearray) -> int | None:
    if len(buffer) < _FIXED_BYTES:
        return None
    command, family = buffer[12], buffer[13]
    if command not in (_LOCAL, _PROXY):
        raise HandshakeError(f"the PROXY header has version and command 0x{command:02x}, not 0x20 or 0x21")
    # "Must use the real connection endpoints and discard the protocol block
    # including the family which is ignored" (2.2).
    if command == _PROXY and not (family >> 4 in _FAMILIES and family & 0x0F in _PROTOCOLS):
        raise HandshakeError(f"the PROXY header has family and protocol 0x{family:02x}, which is none")
    end = _FIXED_BYTES + int.from_bytes(buffer[14:16], "big")
    if end > HEADER_MAX_BYTES:
        raise HandshakeError(f"the PROXY header is {end} bytes long, more than {HEADER_MAX_BYTES}")
    return end


def _read_line(line: bytes) -> ProxyHeader:
    if _UNKNOWN_LINE.fullmatch(line):
        return ProxyHeader()
    match = _LINE.fullmatch(line)
    if match is None:
        raise HandshakeError("the PROXY line is not TCP4 or TCP6, two addresses, two ports and CRLF, one space apart")
    version, source, destination, *ports = (group.decode() for group in match.groups())
    try:
        client, target = ip_address(source), ip_address(destination)
    except ValueError:
        raise HandshakeError("the PROXY line has an address that is none") from None
    if not client.version == target.version == int(version):
        raise HandshakeError(f"the PROXY line says TCP{version} and has an address of another kind")
    if any(int(port) > _PORT_MAX for port in ports):
        raise HandshakeError(f"the PROXY line has a port above {_PORT_MAX}")
    return ProxyHeader(_spelled(client.packed))


def _read_binary(header: bytes) -> ProxyHeader:
    if header[12] == _LOCAL or header[13] not in _TCP:
        # A health check; a socket's path; a family that is not told; and
        # datagrams, which nobody can pass on to a door that speaks TCP. "The
        # receiver should ignore address information" (2.2).
        return ProxyHeader()
    size, sizes = _TCP[header[13]]
    values = _FIXED_BYTES + sizes
    if len(header) < values:
        raise HandshakeError(f"the PROXY header has {len(header) - _FIXED_BYTES} bytes of addresses, not {sizes}")
    return ProxyHeader(_spelled(header[_FIXED_BYTES : _FIXED_BYTES + size]), _says_tls(header, values))


def _spelled(packed: bytes) -> str:
    """Return an address as the kernel spells it; of IPv4 within IPv6, what was meant."""
    address = ip_address(packed)
    return str((isinstance(address, IPv6Address) and address.ipv4_mapped) or address)


def _says_tls(header: bytes, start: int) -> bool | None:
    """Walk the attached values, and tell what they say about TLS; None if nothing."""
    is_secure = None
    while start < len(header):
        value = start + _TLV_HEAD_BYTES
        end = value + int.from_bytes(header[start + 1 : value], "big")
        if max(value, end) > len(header):
            raise HandshakeError(f"the PROXY header has a value of type 0x{header[start]:02x} that ends behind it")
        if header[start] == _TYPE_SSL:
            if end - value < _SSL_MIN_BYTES:
                raise HandshakeError(f"the PROXY header has a PP2_TYPE_SSL of {end - value} bytes, too few")
            is_secure = bool(header[value] & _CLIENT_SSL)
        start = end
    return is_secure
