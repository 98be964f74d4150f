"""Both ends of a TLS connection in one thread: ours, and a peer of the standard library, which OpenSSL moves."""

from __future__ import annotations

import _socket
import select
import socket
import ssl
from contextlib import suppress
from pathlib import Path

from roomcast.transport.certificate import Certificate, read_certificate
from roomcast.transport.tls import TlsServer, TlsSocket
from tests.certificates import issue, trusting
from tests.diary import Diary
from tests.idle import idle_counters
from tests.wire import HANG_S, HOST

READ_BYTES = 16_384
"""The most that a member is read at a time."""


def server_with(directory: Path) -> TlsServer:
    """Return a door's side of TLS, with a certificate of its own."""
    files = issue(directory)
    certificate, key = str(files.certificate), str(files.key)
    read = read_certificate(certificate, key)
    return TlsServer(
        Certificate(certificate, key, read, journal=Diary().journal, counters=idle_counters(), clock=lambda: 0.0)
    )


class Ends:
    """A connection over loopback.

    Args:
        server: Our side.
        client: The peer's.
        buffer_bytes: How little the kernel may hold on the way to the peer; 0 leaves that to the kernel.
    """

    def __init__(self, server: TlsServer, client: ssl.SSLContext | None = None, *, buffer_bytes: int = 0) -> None:
        raw, connected = _tcp_pair(buffer_bytes)
        self.ours: TlsSocket = server.accept(raw)
        self.peer = (client or trusting()).wrap_socket(
            connected, server_hostname=HOST, do_handshake_on_connect=False, suppress_ragged_eofs=False
        )
        self.early: bytes | None = None
        """What came behind the handshake; None while there is none."""
        self._raw = raw

    def step(self) -> None:
        """Let the peer say what it has to say in the handshake, and answer."""
        with suppress(ssl.SSLWantReadError):
            self.peer.do_handshake()
        if self.is_readable():
            self.answer()

    def answer(self) -> None:
        """Answer what the peer has said in the handshake."""
        self.early = self.ours.shake_hands(self._raw.recv(READ_BYTES))

    def shake_hands(self) -> None:
        while self.early is None:
            self.step()
        # Tickets for another time. Left unread, they would make a reset of its end.
        assert self.hear() == b""

    def is_readable(self, within_s: float = 0) -> bool:
        """Whether the loop would call us."""
        return bool(select.select([self.ours.fileno()], [], [], within_s)[0])

    def receive(self) -> bytes:
        """Return the next data, b"" at the end."""
        while True:
            assert self.is_readable(HANG_S)
            with suppress(BlockingIOError):
                return self.ours.recv(READ_BYTES)

    def hear(self) -> bytes:
        """Return what the peer can read at this moment."""
        heard = bytearray()
        with suppress(ssl.SSLWantReadError):
            while data := self.peer.recv(65_536):
                heard += data
        return bytes(heard)

    def send_raw(self, data: bytes) -> None:
        """Let the peer send bytes that its TLS knows nothing of."""
        sent = socket.socket.send(self.peer, data)
        assert sent == len(data)

    def close(self) -> None:
        self.ours.close()
        self.peer.close()


def _tcp_pair(buffer_bytes: int) -> tuple[_socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        connected = socket.socket()
        if buffer_bytes:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        connected.connect(listening.getsockname())
        accepted, _ = listening.accept()
    if buffer_bytes:
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer_bytes)
    raw = _socket.socket(accepted.family, accepted.type, accepted.proto, accepted.detach())
    for end in (raw, connected):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        end.setblocking(False)
    return raw, connected
