"""Somebody who serves keys at a URL, and does with every request what the test says: well, badly, or not at all."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import Queue
from threading import Event, Thread

from tests.tokens import Signer, jwks
from tests.wire import HANG_S

HANG = b""
"""An answer that does not come: the connection stays open until the test is over."""


def answer(body: bytes, status: str = "200 OK", *lines: str) -> bytes:
    """Return a whole answer of HTTP."""
    head = (f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}", *lines, "\r\n")
    return "\r\n".join(head).encode() + body


class KeyServer:
    """A server on a port that the kernel gives it.

    Args:
        tls: How it speaks TLS; in clear without.

    Attributes:
        answer: What it answers, byte for byte: ``HANG`` for nothing.
        requests: What it was asked, each head as it came.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._tls = tls
        scheme = "http" if tls is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}/jwks.json"
        self.answer = answer(b"")
        self.requests: Queue[bytes] = Queue()
        self._is_over = Event()
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def serve_keys(self, **signers: Signer) -> None:
        """Answer with a JWKS from now on."""
        self.answer = answer(jwks(**signers))

    def wait_for_request(self) -> bytes:
        """Return the next request that nobody has asked for yet."""
        return self.requests.get(timeout=HANG_S)

    def _serve(self) -> None:
        while True:
            connected, _ = self._listener.accept()
            if self._is_over.is_set():
                connected.close()
                return
            Thread(target=self._answer, args=(connected,), daemon=True).start()

    def _answer(self, connected: socket.socket) -> None:
        # Whoever does not believe us leaves in the middle of its handshake.
        with suppress(ssl.SSLError, ConnectionError), self._secured(connected) as connected:
            connected.settimeout(HANG_S)
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                if not (data := connected.recv(65_536)):
                    return
                head += data
            ours = self.answer
            self.requests.put(head)
            connected.sendall(ours)
            if ours == HANG:
                # Until the other side gives up.
                connected.recv(1)

    def _secured(self, connected: socket.socket) -> socket.socket:
        return connected if self._tls is None else self._tls.wrap_socket(connected, server_side=True)

    def stop(self) -> None:
        self._is_over.set()
        socket.create_connection(self._listener.getsockname()).close()
        self._thread.join(HANG_S)
        self._listener.close()


@contextmanager
def key_server(tls: ssl.SSLContext | None = None) -> Iterator[KeyServer]:
    """Start one, and stop it at the end."""
    server = KeyServer(tls)
    try:
        yield server
    finally:
        server.stop()
