"""Whoever speaks another protocol to the door: it hears so at the first byte that tells.

Some of them wait for the server's word and never send a line end. They must not
hold a handshake until its time is over, so the answer does not wait for one.

Rules: RFC 9112, section 3, and RFC 9110, section 15.5.6.
"""

from __future__ import annotations

from random import Random
from typing import Final

from tests.hostile.cases import Case
from tests.hostile.outcomes import Refused

MALFORMED: Final = Refused(400, "malformed")
METHOD: Final = Refused(405, "method")

# The dice are loaded: the same bytes each time.
_DICE: Final = Random(76)

_HELLO: Final = bytes.fromhex("16030100c8010000c40303") + bytes(32) + bytes.fromhex("20")

_STRANGERS: Final = {
    "TLS": _HELLO,
    "TLS, its first byte": b"\x16",
    "TLS 1.0 in the form of SSL 2": bytes.fromhex("802e0100020015000000100100800700c003008006004002008004008000"),
    "SSH": b"SSH-2.0-OpenSSH_9.7\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
    "HTTP/2, its first word": b"PRI ",
    "a PROXY header of version 2": b"\r\n\r\n\x00\r\nQUIT\n" + bytes(16),
    "a PROXY header of version 1": b"PROXY TCP4 192.0.2.1 192.0.2.2 1 80\r\nGET / HTTP/1.1\r\n",
    "SOCKS 4": b"\x04\x01\x00\x50\x7f\x00\x00\x01\x00",
    "SOCKS 5": b"\x05\x01\x00",
    "MQTT": b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04evil",
    "Redis": b"*1\r\n$4\r\nPING\r\n",
    "SMB": b"\x00\x00\x00\x2f\xffSMB",
    "RDP": b"\x03\x00\x00\x13\x0e\xe0\x00\x00",
    "DNS over TCP": b"\x00\x1d\x12\x34\x01\x00\x00\x01",
    "PostgreSQL": b"\x00\x00\x00\x08\x04\xd2\x16\x2f",
    "FastCGI": b"\x01\x01\x00\x01\x00\x08\x00\x00",
    "AMQP": b"AMQP\x00\x00\x09\x01",
    "BitTorrent": b"\x13BitTorrent protocol",
    "Memcached, binary": b"\x80\x00\x00\x00",
    "a frame of RFC 6455": b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
    "a frame of hixie-76": b"\x00hello\xff",
    "nothing but NULs": bytes(4096),
    "nothing but 0xFF": b"\xff" * 4096,
    "UTF-16": "GET / HTTP/1.1\r\n\r\n".encode("utf-16"),
    # With a method that this door knows.
    "SIP": b"OPTIONS sip:relay.example SIP/2.0\r\n",
    "EBCDIC": "GET / HTTP/1.1".encode("cp500"),
    "random bytes": b"\x9d" + _DICE.randbytes(4096),
    "a lot of random bytes": b"\xe3" + _DICE.randbytes(200_000),
}

_METHODS: Final = {
    "SMTP": b"HELO relay.example\r\n",
    "FTP": b"USER anonymous\r\n",
    "IRC": b"NICK evil\r\n",
    "RTSP": b"DESCRIBE rtsp://relay.example/ RTSP/1.0\r\n",
}

CASES: Final = [
    *(Case(name, (data,), MALFORMED, "RFC 9112, 3") for name, data in _STRANGERS.items()),
    *(Case(name, (data,), METHOD, "RFC 9110, 15.5.6") for name, data in _METHODS.items()),
]
