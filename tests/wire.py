"""Clients of both dialects on blocking sockets, built apart from the code under test.

They send what a test says, good or bad, and return what comes. Nothing here waits
for ever: a relay that stays silent for ``HANG_S`` has failed the test.
"""

from __future__ import annotations

import re
import socket
import ssl
from typing import NamedTuple, Self

HOST = "relay.example"
"""The relay's name, where a client has to say one."""

# Ends a test whose relay says nothing at all; no test waits for it.
HANG_S = 20.0

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

MASK = bytes.fromhex("37fa213d")
"""The mask of RFC 6455's own examples."""

RFC6455_KEY, RFC6455_ACCEPT = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""The example of RFC 6455, section 1.3."""

KEY1, KEY2, KEY3 = "18x 6]8vM;54 *(5:  {   U1]8  z [  8", "1_ tx7X d  <  nw  334J702) 7]o}` 0", b"Tm[K T2u"
TOKEN = b"fQJ,fN/4F4!~K~MH"
"""The second example of draft-hixie-thewebsocketprotocol-76, section 1.2."""

CLOSING = b"\xff\x00"
"""What both sides of hixie-76 say at the end."""

Address = tuple[str, int] | str
"""Host and port, or the path of a unix socket."""


class Answer(NamedTuple):
    """A whole HTTP answer, read to the end of the stream."""

    status: int
    headers: dict[str, str]
    body: bytes


class Frame(NamedTuple):
    """A frame of RFC 6455 that the relay sent; it never fragments."""

    opcode: int
    payload: bytes


class Goodbye(NamedTuple):
    """How the relay ended a connection: code and reason of its close frame, where the dialect has them."""

    code: int | None
    reason: str
    """Without the connection's id."""


# The last that a close reason says, unless it answers a peer's goodbye.
_CONNECTION_ID = re.compile(r" id=[a-z2-7]{8}\.[1-9][0-9]*\Z")


def goodbye_of(payload: bytes) -> Goodbye:
    """Return what a close frame of the relay's says. The connection's id must be there; it is left out."""
    if not payload:
        return Goodbye(None, "")
    said = payload[2:].decode("ascii")
    reason = _CONNECTION_ID.sub("", said)
    assert (reason == said) is (said == "peer"), f"{said!r} names no connection, or should not"
    return Goodbye(int.from_bytes(payload[:2], "big"), reason)


class Wire:
    """A connection: bytes out, and bytes in as a test asks for them.

    Args:
        connected: A blocking socket, which is closed with this.
    """

    def __init__(self, connected: socket.socket) -> None:
        connected.settimeout(HANG_S)
        self.socket = connected
        self.origin = "https://relay.example" if isinstance(connected, ssl.SSLSocket) else "http://relay.example"
        # Grows in place: a message of 16 MiB comes in 256 pieces or more.
        self._unread = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        """End the connection without a goodbye of any kind, as a crashed peer's kernel does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.socket.close()

    def shut(self) -> None:
        """End our side of the stream; the other may go on."""
        self.socket.shutdown(socket.SHUT_WR)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read(self, size: int) -> bytes:
        """Return exactly ``size`` bytes."""
        while len(self._unread) < size:
            self._receive()
        data = bytes(self._unread[:size])
        del self._unread[:size]
        return data

    def take_unread(self) -> bytes:
        """Return what has arrived and was not asked for yet."""
        return self.read(len(self._unread))

    def unread(self, data: bytes) -> None:
        """Put back what was read, to be read again."""
        self._unread[:0] = data

    def read_until(self, end: bytes) -> bytes:
        """Return everything up to and with ``end``."""
        while (found := self._unread.find(end)) < 0:
            self._receive()
        return self.read(found + len(end))

    def read_to_end(self) -> bytes:
        """Return all that comes until the relay ends its side. A reset is an error: it loses answers."""
        chunks = [self.read(len(self._unread))]
        while chunk := self.socket.recv(65_536):
            chunks.append(chunk)
        return b"".join(chunks)

    def read_some(self) -> bytes:
        """Return what has come, or comes next."""
        if not self._unread:
            self._receive()
        return self.read(len(self._unread))

    def read_head(self) -> tuple[int, dict[str, str]]:
        """Return the status and the headers of an HTTP answer."""
        lines = self.read_until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        return int(lines[0].split()[1]), _headers(lines[1:])

    def read_answer(self) -> Answer:
        """Return an HTTP answer after which the connection ends."""
        status, headers = self.read_head()
        return Answer(status, headers, self.read_to_end())

    def _receive(self) -> None:
        data = self.socket.recv(65_536)
        if not data:
            raise EOFError(f"the relay ended the stream after {bytes(self._unread[:100])!r}")
        self._unread += data


class Rfc6455Client:
    """A member that speaks RFC 6455."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    def close(self) -> None:
        self.wire.close()

    def say(self, text: str) -> None:
        self.wire.send(frame(TEXT, text.encode()))

    def hear(self) -> str:
        """Return the next message, which must be a text."""
        opcode, payload = self.read_frame()
        assert opcode == TEXT, f"opcode {opcode} with {payload[:100]!r} is no text"
        return payload.decode()

    def read_frame(self) -> Frame:
        first, second = self.wire.read(2)
        assert first & 0x70 == 0, f"first byte 0x{first:02x} has reserved bits"
        assert first & 0x80, "the relay never fragments"
        assert second < 0x80, "a server's frame is never masked"
        length = second
        if second == 126:
            length = int.from_bytes(self.wire.read(2), "big")
        elif second == 127:
            length = int.from_bytes(self.wire.read(8), "big")
        return Frame(first & 0x0F, self.wire.read(length))

    def read_goodbye(self) -> Goodbye:
        """Return what the next frame, which must be a close frame, says."""
        opcode, payload = self.read_frame()
        assert opcode == CLOSE, f"opcode {opcode} with {payload[:100]!r} is no close frame"
        return goodbye_of(payload)

    def say_goodbye(self, code: int | None = 1000, reason: bytes = b"") -> None:
        self.wire.send(frame(CLOSE, b"" if code is None else code.to_bytes(2, "big") + reason))


class Hixie76Client:
    """A member that speaks hixie-76."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    def close(self) -> None:
        self.wire.close()

    def say(self, text: str) -> None:
        self.wire.send(b"\x00" + text.encode() + b"\xff")

    def hear(self) -> str:
        """Return the next message."""
        start = self.wire.read(1)
        assert start == b"\x00", f"0x{start.hex()} begins no text frame"
        return self.wire.read_until(b"\xff")[:-1].decode()

    def read_goodbye(self) -> Goodbye:
        closing = self.wire.read(2)
        assert closing == CLOSING, f"{closing!r} is no goodbye"
        return Goodbye(None, "")

    def say_goodbye(self) -> None:
        self.wire.send(CLOSING)


Client = Rfc6455Client | Hixie76Client


def connect(address: Address, *, receive_buffer_bytes: int = 0, tls: ssl.SSLContext | None = None) -> Wire:
    """Connect to a relay.

    Args:
        address: Where it listens.
        receive_buffer_bytes: How little the kernel may hold unread; 0 leaves that to the kernel.
        tls: Our side of TLS, where the relay has any. Its end must be announced then (close_notify).
    """
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    connected = socket.socket(family)
    connected.settimeout(HANG_S)
    try:
        if receive_buffer_bytes:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        connected.connect(address)
        if tls is not None:
            connected = tls.wrap_socket(connected, server_hostname=HOST, suppress_ragged_eofs=False)
    except OSError:
        connected.close()
        raise
    return Wire(connected)


def get(path: str = "/", *lines: str, host: str = "relay.example") -> bytes:
    """Return the head of a plain GET; ``lines`` are further header lines."""
    return "\r\n".join((f"GET {path} HTTP/1.1", f"Host: {host}", *lines, "\r\n")).encode("latin-1")


def rfc6455_head(path: str, *lines: str, host: str = "relay.example") -> bytes:
    """Return the request of a client that speaks RFC 6455."""
    ours = ("Upgrade: websocket", "Connection: Upgrade")
    keys = (f"Sec-WebSocket-Key: {RFC6455_KEY}", "Sec-WebSocket-Version: 13")
    return get(path, *ours, *keys, *lines, host=host)


def hixie76_head(path: str, *lines: str, origin: str = "http://relay.example", host: str = "relay.example") -> bytes:
    """Return the request of a client that speaks hixie-76, without the eight bytes that follow it."""
    ours = ("Upgrade: WebSocket", "Connection: Upgrade", f"Origin: {origin}")
    keys = (f"Sec-WebSocket-Key1: {KEY1}", f"Sec-WebSocket-Key2: {KEY2}")
    return get(path, *ours, *keys, *lines, host=host)


def shake_hands_rfc6455(wire: Wire, path: str, *lines: str) -> Rfc6455Client:
    """Enter a room, or fail the test with the answer that says why not."""
    wire.send(rfc6455_head(path, *lines))
    head = wire.read_until(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 "), head + wire.read_to_end()
    # By lower-case names: a proxy may spell them as it likes.
    assert _headers(head.decode("latin-1").split("\r\n")[1:])["sec-websocket-accept"] == RFC6455_ACCEPT
    return Rfc6455Client(wire)


def shake_hands_hixie76(wire: Wire, path: str, *lines: str) -> Hixie76Client:
    """Likewise, with the eight bytes in the same segment as the head."""
    wire.send(hixie76_head(path, *lines, origin=wire.origin) + KEY3)
    head = wire.read_until(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 "), head + wire.read_to_end()
    assert wire.read(len(TOKEN)) == TOKEN
    return Hixie76Client(wire)


def frame(opcode: int, payload: bytes = b"", *, is_final: bool = True) -> bytes:
    """Return a client's frame as RFC 6455 draws it: masked, its length in the shortest form."""
    size = len(payload)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 0x10000:
        length = bytes([0x80 | 126]) + size.to_bytes(2, "big")
    else:
        length = bytes([0x80 | 127]) + size.to_bytes(8, "big")
    mask = (MASK * (size // 4 + 1))[:size]
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")
    return bytes([0x80 * is_final | opcode]) + length + MASK + masked.to_bytes(size, "big")


def _headers(lines: list[str]) -> dict[str, str]:
    named = [line.partition(":") for line in lines if line]
    return {name.lower(): value.strip() for name, _, value in named}
