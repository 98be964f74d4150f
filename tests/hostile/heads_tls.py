"""What comes to a door that speaks TLS: TLS that is none, that never ends, and attacks within it.

Rules: RFC 8446, sections 4, 5 and 6; [tls]. What the door says in clear, it says
only to those who did not begin with TLS.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from tests.hostile.cases import IMPATIENT, ROOM, TLS, Attacker, Case, Counts, Outcome, Step
from tests.hostile.outcomes import Closed, Counted, Refused, Stays, Unanswered, end, gone_before_101, handshake, hit
from tests.hostile.steps import Act, join, reset, shut
from tests.wire import TEXT, Wire, frame, get, rfc6455_head

IN_CLEAR: Final = Refused(400, "tls")
_SETTINGS: Final = (TLS,)
_IMPATIENT: Final = (TLS, *IMPATIENT)
_ALERT_TYPE: Final = 0x15


@dataclass(frozen=True, slots=True)
class Alerted:
    """An alert of TLS, and the end of the stream."""

    relayed: tuple[str | bytes, ...] = ()

    @property
    def counts(self) -> Counts:
        return {handshake("tls"): 1}

    def __str__(self) -> str:
        return "alert, tls"

    def check(self, attacker: Attacker) -> None:
        seen = attacker.wire.read_to_end()
        assert seen[:1] == bytes((_ALERT_TYPE,)), seen


def _record(kind: int, body: bytes, *, version: int = 0x0301, size: int | None = None) -> bytes:
    return bytes((kind,)) + version.to_bytes(2, "big") + (len(body) if size is None else size).to_bytes(2, "big") + body


def _hello(version: int = 0x0303, ciphers: bytes = b"\x13\x01\xc0\x2f", extensions: bytes = b"") -> bytes:
    """Return a ClientHello that says this version, and no other in an extension."""
    body = version.to_bytes(2, "big") + bytes(32) + b"\x00" + len(ciphers).to_bytes(2, "big") + ciphers + b"\x01\x00"
    body += len(extensions).to_bytes(2, "big") + extensions
    return _record(0x16, b"\x01" + len(body).to_bytes(3, "big") + body)


# What does not begin as TLS does is told so in clear.
_NOT_TLS: Final = {
    "HTTP": rfc6455_head(ROOM),
    "HTTP, one byte of it": b"G",
    "SSL 2": bytes.fromhex("802e0100020015000000100100800700c003008006004002008004008000"),
    "an alert": _record(_ALERT_TYPE, b"\x01\x00"),
    "data": _record(0x17, bytes(32)),
    "a change of ciphers": _record(0x14, b"\x01"),
    "a heartbeat": _record(0x18, b"\x01\x40\x00"),
    "SSH": b"SSH-2.0-OpenSSH_9.7\r\n",
    "NULs": bytes(100),
}

_BAD_TLS: Final = {
    "a record of text": _record(0x16, b"hello, relay"),
    "a record of nothing": _record(0x16, b"") * 100,
    "a record that is too long": _record(0x16, b"\x01\x00", size=0xFFFF) + bytes(66_000),
    "a ServerHello": _record(0x16, b"\x02\x00\x00\x26\x03\x03" + bytes(36)),
    "a message of 16 MiB, its header": _record(0x16, b"\x01\xff\xff\xff" + bytes(1000))
    + _record(0x16, bytes(16_000)) * 10,
    "SSL 3": _hello(0x0300),
    "TLS 1.0": _hello(0x0301),
    "TLS 1.1": _hello(0x0302),
    "no cipher that is known": _hello(ciphers=b"\xfe\xfe"),
    "no cipher": _hello(ciphers=b""),
    "ciphers of 1999": _hello(ciphers=b"\x00\x04\x00\x05\x00\x03"),
    "extensions that end behind it": _hello(extensions=b"\x00\x00\xff\xff"),
    "an extension twice": _hello(extensions=b"\x00\x17\x00\x00" * 2),
}


# OpenSSL says nothing to what is of no version of TLS.
_NO_VERSION: Final = {
    "a record of version 9.9": _record(0x16, b"\x01\x00\x00\x00", version=0x0909),
    "HTTP behind the first byte": b"\x16GET / HTTP/1.1\r\n\r\n",
}


def in_clear(data: bytes) -> Step:
    """Return the step of sending this without TLS."""

    def send(attacker: Attacker) -> None:
        attacker.begin_in_clear()
        attacker.send(data)

    return send


def below_tls(data: bytes) -> Act:
    """Return the step of writing this to the socket, below TLS, and reading there until the relay ends."""

    def write(attacker: Attacker) -> None:
        descriptor = os.dup(attacker.wire.socket.fileno())
        with Wire(socket.socket(fileno=descriptor)) as below, suppress(ConnectionError):
            below.send(data)
            below.read_to_end()

    return write


def cut(attacker: Attacker) -> None:
    """End TCP without the end of TLS, and wait until the relay has ended, too."""
    attacker.wire.socket.shutdown(socket.SHUT_WR)
    below_tls(b"")(attacker)


def _cases() -> list[Case]:
    unanswered = Unanswered({handshake("tls"): 1})
    door, book = "[tls]", "RFC 8446, 6"
    return [
        *(_case(f"in clear: {name}", (in_clear(data),), IN_CLEAR, door) for name, data in _NOT_TLS.items()),
        *(_case(f"bad TLS: {name}", (in_clear(data),), Alerted(), book) for name, data in _BAD_TLS.items()),
        *(_case(f"bad TLS: {name}", (in_clear(data),), unanswered, book) for name, data in _NO_VERSION.items()),
        *_unfinished(),
        *_within(),
        *_below(),
    ]


def _unfinished() -> list[Case]:
    """Handshakes of TLS that end in their middle, or stop there."""
    half = in_clear(_hello()[:40])
    late = Unanswered({handshake("timeout"): 1, hit("handshake_timeout_s", "refused"): 1})
    late_within = Refused(408, "timeout", limit="handshake_timeout_s")
    reset_unread = Unanswered({handshake("gone"): 1}, is_read=False)
    book, timeout = "RFC 8446, 6", "[limits] handshake_timeout_s"
    return [
        _case("first byte of TLS, then the end", (in_clear(b"\x16"), shut), gone_before_101(), book),
        _case("half a ClientHello, then the end", (half, shut), gone_before_101(), book),
        _case("half a ClientHello, then a reset", (half, reset), reset_unread, book),
        _case("silence at a door of TLS", (in_clear(b""),), late, timeout, _IMPATIENT),
        _case("half a ClientHello, then silence", (half,), late, timeout, _IMPATIENT),
        _case("silence within TLS", (b"GET",), late_within, timeout, _IMPATIENT),
    ]


def _within() -> list[Case]:
    """What encryption changes nothing about."""
    too_big = Closed(1009, "too_big", limit="message_max_bytes")
    return [
        _case("TLS within TLS", (_hello(),), Refused(400, "malformed"), "RFC 9112, 3"),
        _case("bad request within TLS", (get("/rooms/.."),), Refused(400, "malformed"), "RFC 9112, 3"),
        _case("bad frame within TLS", (join, b"\xff\xff"), Closed(1002, "protocol"), "RFC 6455, 5.2"),
        _case("message within TLS", (join, frame(TEXT, b"a" * 65_536)), Stays(("a" * 65_536,)), "RFC 6455, 5.6"),
        _case("message too long within TLS", (join, frame(TEXT, b"a" * 65_537)), too_big, "[limits] message_max_bytes"),
    ]


def _below() -> list[Case]:
    """What somebody on the way writes between a member's records, or instead of them."""
    gone = Counted({handshake("accepted", "rfc6455"): 1, end("gone"): 1})
    written = {
        "frame in clear": frame(TEXT, b"hello"),
        "forged record": _record(0x17, bytes(64), version=0x0303),
        "record too long": _record(0x17, bytes(20_000), version=0x0303),
        "ClientHello": _hello(),
        "alert in clear": _record(_ALERT_TYPE, b"\x01\x00", version=0x0303),
    }
    return [
        *(_case(f"{name} below TLS", (join, below_tls(data)), gone, "RFC 8446, 5.2") for name, data in written.items()),
        _case("end of TCP without the end of TLS", (join, cut), gone, "RFC 8446, 6.1"),
    ]


def _case(
    name: str, steps: tuple[Step, ...], outcome: Outcome, rule: str, settings: tuple[str, ...] = _SETTINGS
) -> Case:
    return Case(name, steps, outcome, rule, settings)


CASES: Final = _cases()
