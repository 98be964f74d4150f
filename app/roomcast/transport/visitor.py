"""A connection that was accepted and is not a member yet, as its handshake's greenlet sees it."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import gevent
from gevent.hub import get_hub

from roomcast.transport.loop import READABLE, WRITABLE, Stream, watcher
from roomcast.transport.tls import HANDSHAKE_TYPE, TlsServer, TlsSocket

if TYPE_CHECKING:
    import _socket

    from roomcast.metrics import TransportCounters
    from roomcast.policies.forwarded import Scheme
    from roomcast.transport.turns import Turns

# The most that is read at a time. A head is smaller; frames may be glued to it.
_READ_BYTES = 16_384
# How long our side, shut down, waits for the peer's end of stream.
LINGER_S = 1.0


class NotTlsError(Exception):
    """Somebody speaks without TLS where there must be some."""


class Visitor:
    """Reads and writes that look as if they blocked: they make the greenlet wait, and nobody else.

    Args:
        raw: A non-blocking socket.
        address: The peer's, "" for a path's. It becomes the client's, where a proxy says which that is.
        now_s: When it came.
        counters: Where its bytes are counted.
        turns: Asked, whenever something has come, whether it is to be acted on in this turn of the loop.
    """

    __slots__ = (
        "_counters",
        "_early",
        "_tls",
        "_turns",
        "address",
        "claimed",
        "dialect",
        "is_proxy",
        "may_answer",
        "now_s",
        "raw",
        "scheme",
        "stream",
    )

    def __init__(
        self, raw: _socket.socket, address: str, now_s: float, counters: TransportCounters, turns: Turns
    ) -> None:
        self.raw = raw
        self.address = address
        self.now_s = now_s
        self._counters = counters
        self._turns = turns
        # The address that its place is counted for, and is given back with.
        self.claimed = address
        # Whether a trusted proxy speaks, who may name the client in its request.
        self.is_proxy = False
        # What it is heard and answered on: its socket, or TLS on that.
        self.stream: Stream = raw
        self._tls: TlsSocket | None = None
        self._early = b""
        # With which scheme the client speaks; None where nobody knows.
        self.scheme: Scheme = None
        self.dialect: str | None = None
        # Not before there is TLS, where there should be; nor after a 101.
        self.may_answer = True

    def secure(self, server: TlsServer) -> None:
        """Shake hands for TLS. From then on, all that is received and sent goes through it.

        Raises:
            NotTlsError: If the peer speaks something else.
            TlsError: If its TLS and ours cannot agree.
            OSError: If it is gone.
        """
        received = self._receive_more()
        if received[0] != HANDSHAKE_TYPE:
            raise NotTlsError
        tls = server.accept(self.raw)
        while (early := tls.shake_hands(received)) is None:
            self._flush(tls)
            received = self._receive_more()
        self._early = early
        self.stream = self._tls = tls
        self.scheme = "https"

    def receive(self) -> bytes:
        """Return what arrives next, b"" at the end of the stream. Raises OSError."""
        if self._early:
            early, self._early = self._early, b""
            return early
        while True:
            try:
                data = self.stream.recv(_READ_BYTES)
            except BlockingIOError:
                self._wait(READABLE)
            else:
                self._counters.received_bytes += len(data)
                if self._turns.is_over():
                    self._turns.wait()
                return data

    def peek(self) -> bytes:
        """Return what has arrived, b"" at the end of the stream, and leave it there. Raises OSError."""
        while True:
            try:
                return self.raw.recv(_READ_BYTES, socket.MSG_PEEK)
            except BlockingIOError:
                self._wait(READABLE)

    def take(self, size: int) -> None:
        """Read ``size`` bytes that ``peek`` has shown."""
        self._counters.received_bytes += len(self.raw.recv(size))

    def send(self, data: bytes) -> None:
        """Send all of ``data``. Raises OSError."""
        rest = memoryview(data)
        while rest:
            try:
                taken = self.stream.send(rest)
            except BlockingIOError:
                self._wait(WRITABLE)
            else:
                self._counters.sent_bytes += taken
                rest = rest[taken:]
        if self._tls is not None:
            self._flush(self._tls)

    def send_and_forget(self, data: bytes) -> None:
        """Send what the kernel takes of ``data`` at once. Of a page of text that is all, unless the peer is gone."""
        with suppress(OSError):
            self._counters.sent_bytes += self.stream.send(data)

    def linger(self) -> None:
        """End our side, and throw away what still comes, for ``LINGER_S`` at most.

        Closing a socket with unread input sends a reset, and a peer that is
        reset throws away the answer that it has not read yet.
        """
        with suppress(OSError, gevent.Timeout), gevent.Timeout(LINGER_S):
            self.stream.shutdown(socket.SHUT_WR)
            # Through the loop each time. A peer that sends as fast as we read
            # would otherwise keep it: 250 ms were seen.
            self._wait(READABLE)
            while self.raw.recv(_READ_BYTES):
                self._wait(READABLE)

    def _receive_more(self) -> bytes:
        if data := self.receive():
            return data
        raise ConnectionResetError

    def _flush(self, tls: TlsSocket) -> None:
        while not tls.flush():
            self._wait(WRITABLE)

    def _wait(self, events: int) -> None:
        ready = watcher(self.raw.fileno(), events)
        try:
            get_hub().wait(ready)
        finally:
            ready.close()
