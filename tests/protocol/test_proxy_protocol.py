"""What a proxy says before everything else: read to its last byte, no further, and refused at the first wrong one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomcast.protocol.errors import HandshakeError
from roomcast.protocol.proxy_protocol import HEADER_MAX_BYTES, SIGNATURE, ProxyHeader, ProxyHeaderDecoder

NOBODY = ProxyHeader()
ADA = "203.0.113.9"
LINE = b"PROXY TCP4 203.0.113.9 192.0.2.1 55555 443\r\n"
LONGEST_UNKNOWN = b"PROXY UNKNOWN " + b"f" * 91 + b"\r\n"
"""As long as the book lets a line be."""

LOCAL, PROXY = 0x20, 0x21
TCP4, UDP4, TCP6, UDP6, UNIX, UNIX_DATAGRAM = 0x11, 0x12, 0x21, 0x22, 0x31, 0x32
IPV4_ADDRESSES = bytes([203, 0, 113, 9, 192, 0, 2, 1, 0xD9, 0x03, 0x01, 0xBB])
IPV6_ADDRESSES = bytes.fromhex("20010db800020000000000000000000120010db8000000000000000000000001d90301bb")
MAPPED_ADDRESSES = bytes.fromhex("00000000000000000000ffffcb00710900000000000000000000ffffc0000201d90301bb")
NOOP, SSL, CRC32C, UNIQUE_ID = 0x04, 0x20, 0x03, 0x05
TLS, NO_TLS = b"\x01\0\0\0\0", b"\0\0\0\0\0"


def binary(command: int, family: int, body: bytes = b"", *, length: int | None = None) -> bytes:
    """Return a header of version 2; ``length`` is what it says of its body, where that is not true."""
    said = len(body) if length is None else length
    return SIGNATURE + bytes([command, family]) + said.to_bytes(2, "big") + body


def value(kind: int, content: bytes = b"") -> bytes:
    return bytes([kind]) + len(content).to_bytes(2, "big") + content


def read(stream: bytes, size: int = 1 << 20) -> tuple[ProxyHeader | None, int]:
    """Show it the stream, ``size`` bytes at a time; return the header, and how much it took."""
    decoder, taken = ProxyHeaderDecoder(), 0
    while decoder.header is None and taken < len(stream):
        taken += decoder.receive(stream[taken : taken + size])
    return decoder.header, taken


HEADERS: dict[str, tuple[bytes, ProxyHeader]] = {
    "TCP4": (LINE, ProxyHeader(ADA)),
    "TCP4, smallest": (b"PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", ProxyHeader("0.0.0.0")),
    "TCP4, longest": (b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", ProxyHeader("255.255.255.255")),
    "TCP6": (b"PROXY TCP6 2001:DB8:2:0::1 ::1 1 2\r\n", ProxyHeader("2001:db8:2::1")),
    "TCP6, longest": (
        b"PROXY TCP6 " + b"ffff:" * 7 + b"ffff " + b"ffff:" * 7 + b"ffff 65535 65535\r\n",
        ProxyHeader("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ),
    "TCP6 with IPv4 in it": (b"PROXY TCP6 ::ffff:203.0.113.9 ::ffff:192.0.2.1 1 2\r\n", ProxyHeader(ADA)),
    "UNKNOWN": (b"PROXY UNKNOWN\r\n", NOBODY),
    "UNKNOWN with addresses": (b"PROXY UNKNOWN 203.0.113.9 192.0.2.1 55555 443\r\n", NOBODY),
    "UNKNOWN with nonsense": (b"PROXY UNKNOWN  TCP4!\r\n", NOBODY),
    "UNKNOWN, longest": (LONGEST_UNKNOWN, NOBODY),
    "LOCAL": (binary(LOCAL, 0), NOBODY),
    "LOCAL with an address": (binary(LOCAL, TCP4, IPV4_ADDRESSES), NOBODY),
    "LOCAL of a family that is none": (binary(LOCAL, 0xFF, b"whatever"), NOBODY),
    "TCP over IPv4": (binary(PROXY, TCP4, IPV4_ADDRESSES), ProxyHeader(ADA)),
    "TCP over IPv6": (binary(PROXY, TCP6, IPV6_ADDRESSES), ProxyHeader("2001:db8:2::1")),
    "TCP over IPv6 with IPv4 in it": (binary(PROXY, TCP6, MAPPED_ADDRESSES), ProxyHeader(ADA)),
    "unspecified": (binary(PROXY, 0), NOBODY),
    "unspecified with an address": (binary(PROXY, 0, IPV4_ADDRESSES), NOBODY),
    "a family without a protocol": (binary(PROXY, 0x10, IPV4_ADDRESSES), NOBODY),
    "UDP over IPv4": (binary(PROXY, UDP4, IPV4_ADDRESSES), NOBODY),
    "UDP over IPv6": (binary(PROXY, UDP6, IPV6_ADDRESSES), NOBODY),
    "UNIX": (binary(PROXY, UNIX, bytes(216)), NOBODY),
    "UNIX datagrams": (binary(PROXY, UNIX_DATAGRAM, bytes(216)), NOBODY),
    "TLS": (binary(PROXY, TCP4, IPV4_ADDRESSES + value(SSL, TLS)), ProxyHeader(ADA, is_secure=True)),
    "TLS among other values": (
        binary(
            PROXY,
            TCP6,
            IPV6_ADDRESSES
            + value(NOOP)
            + value(UNIQUE_ID, bytes(128))
            + value(SSL, TLS + value(0x21, b"TLSv1.3"))
            + value(CRC32C, b"none"),
        ),
        ProxyHeader("2001:db8:2::1", is_secure=True),
    ),
    "no TLS": (binary(PROXY, TCP4, IPV4_ADDRESSES + value(SSL, NO_TLS)), ProxyHeader(ADA, is_secure=False)),
    "a certificate, but no TLS": (
        binary(PROXY, TCP4, IPV4_ADDRESSES + value(SSL, b"\x06\0\0\0\0")),
        ProxyHeader(ADA, is_secure=False),
    ),
    "nothing about TLS": (binary(PROXY, TCP4, IPV4_ADDRESSES + value(NOOP)), ProxyHeader(ADA, is_secure=None)),
    "TLS of a client that is not told": (binary(LOCAL, TCP4, IPV4_ADDRESSES + value(SSL, TLS)), NOBODY),
    "longest": (
        binary(PROXY, TCP4, IPV4_ADDRESSES + value(NOOP, bytes(HEADER_MAX_BYTES - 16 - 12 - 3))),
        ProxyHeader(ADA),
    ),
}

# What may follow, and must be found where it is: a TLS ClientHello, a head, another header.
FOLLOWERS = [b"", b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\n", LINE, b"\n"]


@pytest.mark.parametrize("follower", FOLLOWERS)
@pytest.mark.parametrize(("header", "meaning"), HEADERS.values(), ids=HEADERS.keys())
def test_header_is_read_to_its_last_byte_and_no_further(header: bytes, meaning: ProxyHeader, follower: bytes) -> None:
    assert read(header + follower) == (meaning, len(header))


@pytest.mark.parametrize(("header", "meaning"), HEADERS.values(), ids=HEADERS.keys())
def test_header_is_the_same_however_its_bytes_arrive(header: bytes, meaning: ProxyHeader) -> None:
    for size in (1, 2, 3, 15, 16, 17, 100):
        assert read(header + FOLLOWERS[1], size) == (meaning, len(header))
    for cut in range(1, min(len(header), 300)):
        decoder = ProxyHeaderDecoder()
        assert decoder.receive(header[:cut]) == cut
        assert decoder.header is None
        assert decoder.receive(header[cut:] + b"GET /") == len(header) - cut
        assert decoder.header == meaning


FAULTS: dict[str, tuple[bytes, str]] = {
    "a head": (b"GET / HTTP/1.1\r\n", "does not begin with a PROXY header"),
    "a head that begins as version 1 does": (b"PUT / HTTP/1.1\r\n", "does not begin with a PROXY header"),
    "a head behind an empty line": (b"\r\nGET / HTTP/1.1\r\n", "does not begin with a PROXY header"),
    "a TLS ClientHello": (b"\x16\x03\x01", "does not begin with a PROXY header"),
    "lower case": (b"proxy TCP4", "does not begin with a PROXY header"),
    "no space": (b"PROXYTCP4", "does not begin with a PROXY header"),
    "a tab": (b"PROXY\tTCP4", "does not begin with a PROXY header"),
    "a blank before": (b" PROXY TCP4", "does not begin with a PROXY header"),
    "another signature": (SIGNATURE[:11] + b"\r", "does not begin with a PROXY header"),
    "two spaces": (LINE.replace(b"TCP4 ", b"TCP4  "), "the PROXY line is not TCP4 or TCP6"),
    "a space at the end": (LINE.replace(b"\r", b" \r"), "the PROXY line is not TCP4 or TCP6"),
    "LF for CRLF": (LINE.replace(b"\r", b""), "the PROXY line is not TCP4 or TCP6"),
    "a lone CR": (LINE.replace(b" 443", b"\r443"), "the PROXY line is not TCP4 or TCP6"),
    "CR twice": (LINE.replace(b"\r", b"\r\r"), "the PROXY line is not TCP4 or TCP6"),
    "a NUL": (LINE.replace(b" 443", b"\0443"), "the PROXY line is not TCP4 or TCP6"),
    "a header inside": (b"PROXY PROXY TCP4 203.0.113.9 192.0.2.1 1 2\r\n", "the PROXY line is not TCP4 or TCP6"),
    "TCP5": (LINE.replace(b"TCP4", b"TCP5"), "the PROXY line is not TCP4 or TCP6"),
    "UDP4": (LINE.replace(b"TCP4", b"UDP4"), "the PROXY line is not TCP4 or TCP6"),
    "no addresses": (b"PROXY TCP4\r\n", "the PROXY line is not TCP4 or TCP6"),
    "no ports": (b"PROXY TCP4 203.0.113.9 192.0.2.1\r\n", "the PROXY line is not TCP4 or TCP6"),
    "one port": (b"PROXY TCP4 203.0.113.9 192.0.2.1 1\r\n", "the PROXY line is not TCP4 or TCP6"),
    "three ports": (b"PROXY TCP4 203.0.113.9 192.0.2.1 1 2 3\r\n", "the PROXY line is not TCP4 or TCP6"),
    "a negative port": (b"PROXY TCP4 203.0.113.9 192.0.2.1 -1 2\r\n", "the PROXY line is not TCP4 or TCP6"),
    "a port with a zero before": (b"PROXY TCP4 203.0.113.9 192.0.2.1 01 2\r\n", "the PROXY line is not TCP4 or TCP6"),
    "a port too large": (b"PROXY TCP4 203.0.113.9 192.0.2.1 1 65536\r\n", "has a port above 65535"),
    "a name": (b"PROXY TCP4 relay.example 192.0.2.1 1 2\r\n", "the PROXY line is not TCP4 or TCP6"),
    "three numbers": (b"PROXY TCP4 203.0.113 192.0.2.1 1 2\r\n", "has an address that is none"),
    "a number with a zero before": (b"PROXY TCP4 203.0.113.09 192.0.2.1 1 2\r\n", "has an address that is none"),
    "a number too large": (b"PROXY TCP4 203.0.113.256 192.0.2.1 1 2\r\n", "has an address that is none"),
    "an address too short": (b"PROXY TCP6 2001:db8:1 ::1 1 2\r\n", "has an address that is none"),
    "two gaps": (b"PROXY TCP6 2001::db8::1 ::1 1 2\r\n", "has an address that is none"),
    "brackets": (b"PROXY TCP6 [2001:db8::1] ::1 1 2\r\n", "the PROXY line is not TCP4 or TCP6"),
    "a zone": (b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", "the PROXY line is not TCP4 or TCP6"),
    "IPv6 as TCP4": (b"PROXY TCP4 ::1 ::1 1 2\r\n", "says TCP4 and has an address of another kind"),
    "IPv4 as TCP6": (b"PROXY TCP6 203.0.113.9 192.0.2.1 1 2\r\n", "says TCP6 and has an address of another kind"),
    "IPv4 to IPv6": (b"PROXY TCP4 203.0.113.9 ::1 1 2\r\n", "says TCP4 and has an address of another kind"),
    "UNKNOWNS": (b"PROXY UNKNOWNS\r\n", "the PROXY line is not TCP4 or TCP6"),
    "UNKNOWN with LF": (b"PROXY UNKNOWN a\nGET / HTTP/1.1\r\n", "the PROXY line is not TCP4 or TCP6"),
    "UNKNOWN with CR": (b"PROXY UNKNOWN a\rb\r\n", "the PROXY line is not TCP4 or TCP6"),
    "UNKNOWN, a byte too long": (LONGEST_UNKNOWN.replace(b"\r", b"f\r"), "does not end within 107 bytes"),
    "without an end": (b"PROXY " + b"a" * 101, "does not end within 107 bytes"),
    "version 1 in binary": (binary(0x11, TCP4, IPV4_ADDRESSES), "version and command 0x11, not 0x20 or 0x21"),
    "version 3": (binary(0x31, TCP4, IPV4_ADDRESSES), "version and command 0x31, not 0x20 or 0x21"),
    "another command": (binary(0x22, TCP4, IPV4_ADDRESSES), "version and command 0x22, not 0x20 or 0x21"),
    "another family": (binary(PROXY, 0x41, bytes(12)), "family and protocol 0x41, which is none"),
    "another protocol": (binary(PROXY, 0x13, bytes(12)), "family and protocol 0x13, which is none"),
    "the longest length": (binary(PROXY, TCP4, length=65_535), "is 65551 bytes long, more than 4096"),
    "a byte too long": (binary(LOCAL, 0, length=4081), "is 4097 bytes long, more than 4096"),
    "IPv4, a byte too short": (binary(PROXY, TCP4, IPV4_ADDRESSES[:-1]), "has 11 bytes of addresses, not 12"),
    "IPv6, a byte too short": (binary(PROXY, TCP6, IPV6_ADDRESSES[:-1]), "has 35 bytes of addresses, not 36"),
    "IPv4 as IPv6": (binary(PROXY, TCP6, IPV4_ADDRESSES), "has 12 bytes of addresses, not 36"),
    "half a value's head": (
        binary(PROXY, TCP4, IPV4_ADDRESSES + b"\x04\0"),
        "a value of type 0x04 that ends behind it",
    ),
    "half a value": (
        binary(PROXY, TCP4, IPV4_ADDRESSES + value(NOOP, b"abc")[:-1]),
        "a value of type 0x04 that ends behind it",
    ),
    "a value without an end": (
        binary(PROXY, TCP4, IPV4_ADDRESSES + b"\x20\xff\xff\x01\0\0\0\0"),
        "a value of type 0x20 that ends behind it",
    ),
    "TLS, a byte too short": (
        binary(PROXY, TCP4, IPV4_ADDRESSES + value(SSL, TLS[:-1])),
        "has a PP2_TYPE_SSL of 4 bytes, too few",
    ),
}


@pytest.mark.parametrize("size", [1, 2, 3, 13, 16, 1 << 20])
@pytest.mark.parametrize(("stream", "rule"), FAULTS.values(), ids=FAULTS.keys())
def test_what_is_no_header_is_400_and_says_which_rule_it_breaks(stream: bytes, rule: str, size: int) -> None:
    with pytest.raises(HandshakeError, match=rule) as raised:
        read(stream, size)

    assert raised.value.status == 400


@pytest.mark.parametrize(
    ("stream", "deciding"),
    [
        (b"GET / HTTP/1.1\r\n", 1),
        (b"PROPFIND", 4),
        (b"\r\nGET", 3),
        (binary(PROXY, TCP4, length=65_535), 16),
        (binary(0x22, TCP4, IPV4_ADDRESSES), 16),
        (b"PROXY " + b"a" * 1000, 107),
    ],
)
def test_fault_is_noticed_at_the_byte_that_decides(stream: bytes, deciding: int) -> None:
    assert read(stream[: deciding - 1], 1) == (None, deciding - 1)
    with pytest.raises(HandshakeError):
        read(stream[:deciding], 1)


def test_fault_repeats_nothing_of_what_came() -> None:
    with pytest.raises(HandshakeError) as raised:
        read(b"PROXY TCP4 s3cr3t 192.0.2.1 1 2\r\n")

    assert "s3cr3t" not in str(raised.value)
    assert raised.value.__cause__ is None


_BODIES = st.one_of(st.binary(max_size=60), st.binary(max_size=30).map(lambda tail: IPV4_ADDRESSES + tail))


@given(
    st.one_of(
        st.binary(max_size=200),
        st.binary(max_size=120).map(lambda tail: b"PROXY " + tail),
        st.from_regex(rb"PROXY (TCP[456]|UNKNOWN) [0-9a-f:. ]{0,99}\r?\n", fullmatch=True),
        st.builds(binary, st.sampled_from([LOCAL, PROXY, 0x22]), st.integers(0, 255), _BODIES),
    ),
    st.integers(1, 40),
)
def test_whatever_comes_is_a_header_or_400_however_it_is_cut(stream: bytes, size: int) -> None:
    def outcome(size: int) -> tuple[ProxyHeader | None, int] | str:
        try:
            return read(stream, size)
        except HandshakeError as error:
            return str(error)

    assert outcome(size) == outcome(1) == outcome(len(stream) + 1)
