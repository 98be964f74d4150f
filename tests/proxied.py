"""What proxies put in front of a client's bytes, built apart from the code under test."""

from __future__ import annotations

from ipaddress import ip_address

SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")
LOCAL, PROXY = 0x20, 0x21
TLS, NO_TLS = bytes.fromhex("20 0005 01 00000000"), bytes.fromhex("20 0005 00 00000000")
"""The attached values by which a proxy says that its client spoke TLS, or did not."""

HEALTH_CHECK = SIGNATURE + bytes([LOCAL, 0, 0, 0])


def line(address: str) -> bytes:
    """Return the PROXY header of a client in version 1, a line."""
    version = ip_address(address).version
    target = "192.0.2.1" if version == 4 else "2001:db8::1"
    return f"PROXY TCP{version} {address} {target} 55555 443\r\n".encode("ascii")


def binary(address: str, values: bytes = b"") -> bytes:
    """Return the same in version 2."""
    client = ip_address(address)
    body = client.packed + bytes(len(client.packed)) + bytes.fromhex("d903 01bb") + values
    return SIGNATURE + bytes([PROXY, 0x11 if client.version == 4 else 0x21]) + len(body).to_bytes(2, "big") + body
