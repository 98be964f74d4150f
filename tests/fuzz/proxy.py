"""The PROXY header, of either version, fed with anything.

* Only a header or a ``HandshakeError`` with status 400 comes out.
* The outcome, and where the header ends, are the same however it is cut.
* What is kept is one header; what follows it is left where it was.
* Who it names is who a second reading of the same bytes finds.
"""

import struct
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address

from roomcast.protocol.errors import HandshakeError
from roomcast.protocol.proxy_protocol import HEADER_MAX_BYTES, SIGNATURE, ProxyHeader, ProxyHeaderDecoder
from tests.fuzz import script
from tests.fuzz.bounds import check_words, kept_bytes

Outcome = tuple[ProxyHeader, int] | str | None


def check(data: bytes) -> None:
    """Feed a decoder with what the input says, and hold it to its promises."""
    asked = script.read(data)
    whole = decode([asked.stream])
    assert decode(asked.pieces()) == whole, "the outcome depends on how the bytes are cut"
    if isinstance(whole, str):
        assert whole.startswith("400 "), "a refusal with another status"
    elif whole is not None:
        header, size = whole
        assert header.address == read_again(asked.stream[:size]), "a header that names somebody else"


def decode(pieces: Iterable[bytes]) -> Outcome:
    """Return the header and how long it is; or the status and the words of its refusal; or None so far."""
    decoder = ProxyHeaderDecoder()
    taken_bytes = 0
    for piece in pieces:
        try:
            taken = decoder.receive(piece)
        except HandshakeError as error:
            check_words(error)
            return f"{error.status} {error}"
        taken_bytes += taken
        if decoder.header is not None:
            assert 0 < taken <= len(piece), "more is taken than there is"
            return decoder.header, taken_bytes
        assert taken == len(piece), "a part of the header is left"
        assert kept_bytes(decoder) < HEADER_MAX_BYTES, "more is kept than promised"
    return None


def read_again(header: bytes) -> str | None:
    """Return whom a whole header names: by words and by fields, with no pattern and no state."""
    if not header.startswith(SIGNATURE):
        words = header.removesuffix(b"\r\n").split(b" ")
        return None if words[1] == b"UNKNOWN" else spelled(ip_address(words[2].decode()))
    command, family, size = struct.unpack_from("!BBH", header, len(SIGNATURE))
    start = len(SIGNATURE) + 4
    assert len(header) == start + size, "a header of another length than it says"
    match command & 0x0F, family:
        case 1, 0x11:
            return spelled(IPv4Address(header[start : start + 4]))
        case 1, 0x21:
            return spelled(IPv6Address(header[start : start + 16]))
        case _:
            return None


def spelled(address: IPv4Address | IPv6Address) -> str:
    """Return an address as the relay counts it: IPv4 as such, also where it came within IPv6."""
    if isinstance(address, IPv6Address) and address.packed.startswith(bytes(10) + b"\xff\xff"):
        return str(IPv4Address(address.packed[12:]))
    return str(address)


def seeds() -> Iterator[bytes]:
    """Yield the inputs to begin with: both versions, each family, and what is refused."""
    for stream in (*_lines(), *_binaries()):
        yield script.write(stream)
        yield script.write(stream, 1)
        yield script.write(stream, 15, 3)


def _lines() -> Iterator[bytes]:
    for line in (
        b"TCP4 203.0.113.9 192.0.2.1 55555 443",
        b"TCP6 2001:db8::1 ::ffff:192.0.2.1 0 65535",
        b"TCP6 ::ffff:203.0.113.9 ::1 1 2",
        b"UNKNOWN whatever " + b"f" * 80,
        b"TCP4 203.0.113.9 ::1 1 2",
        b"TCP4 203.0.113.09 192.0.2.1 1 2",
        b"TCP4 203.0.113.9 192.0.2.1 01 2",
        b"TCP4 203.0.113.9 192.0.2.1 65535 65536",
        b"UNKNOWN" + b"f" * 100,
    ):
        yield b"PROXY " + line + b"\r\nGET / HTTP/1.1\r\n"


def _binaries() -> Iterator[bytes]:
    tls = b"\x20\x00\x0a\x01\x00\x00\x00\x00\x21\x00\x02v3"
    for command, family, body in (
        (0x20, 0x00, b""),
        (0x21, 0x00, b"\x04\x00\x00"),
        (0x21, 0x11, bytes(12)),
        (0x21, 0x11, bytes(12) + tls),
        (0x21, 0x21, bytes(10) + b"\xff\xff" + bytes(24) + b"\x04\x00\x01x" + tls),
        (0x21, 0x31, bytes(216)),
        (0x21, 0x11, bytes(11)),
        (0x21, 0x11, bytes(12) + b"\x20\x00\x04\x01\x00\x00\x00"),
        (0x21, 0x11, bytes(12) + b"\x20\x00\x0f\x01"),
        (0x22, 0x11, bytes(12)),
        (0x21, 0x43, bytes(12)),
    ):
        yield SIGNATURE + bytes([command, family]) + len(body).to_bytes(2, "big") + body + b"GET /"
    yield SIGNATURE + b"\x21\x11\xff\xff"
    yield SIGNATURE[:-1] + b"\r"
