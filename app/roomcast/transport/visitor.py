"""A connection that was accepted and is not a member yet, as its handshake's greenlet sees it."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import gevent
from gevent.hub import get_hub

from roomcast.transport.loop import READABLE, WRITABLE, watcher

if TYPE_CHECKING:
    import _socket

    from roomcast.metrics import TransportCounters
    from roomcast.policies.forwarded import Scheme
    from roomcast.protocol.handshake import Dialect

# The most that is read at a time. A head is smaller; frames may be glued to it.
_READ_BYTES = 16_384
# How long our side, shut down, waits for the peer's end of stream.
LINGER_S = 1.0


class Visitor:
    """Reads and writes that look as if they blocked: they make the greenlet wait, and nobody else.

    Args:
        raw: A non-blocking socket.
        address: The peer's, "" for a path's. It becomes the client's, where a proxy says which that is.
        now_s: When it came.
        counters: Where its bytes are counted.
    """

    __slots__ = ("_counters", "address", "claimed", "dialect", "is_answered", "is_proxy", "now_s", "raw", "scheme")

    def __init__(self, raw: _socket.socket, address: str, now_s: float, counters: TransportCounters) -> None:
        self.raw = raw
        self.address = address
        self.now_s = now_s
        self._counters = counters
        # The address that its place is counted for, and is given back with.
        self.claimed = address
        # Whether a trusted proxy speaks, who may name the client in its request.
        self.is_proxy = False
        # With which scheme the client speaks; None where nobody knows.
        self.scheme: Scheme = None
        self.dialect: Dialect | None = None
        # Whether a 101 was sent, after which no other answer is possible.
        self.is_answered = False

    def receive(self) -> bytes:
        """Return what arrives next, b"" at the end of the stream. Raises OSError."""
        while True:
            try:
                data = self.raw.recv(_READ_BYTES)
            except BlockingIOError:
                self._wait(READABLE)
            else:
                self._counters.received_bytes += len(data)
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
                taken = self.raw.send(rest)
            except BlockingIOError:
                self._wait(WRITABLE)
            else:
                self._counters.sent_bytes += taken
                rest = rest[taken:]

    def send_and_forget(self, data: bytes) -> None:
        """Send what the kernel takes of ``data`` at once. Of a page of text that is all, unless the peer is gone."""
        with suppress(OSError):
            self._counters.sent_bytes += self.raw.send(data)

    def linger(self) -> None:
        """End our side, and throw away what still comes, for ``LINGER_S`` at most.

        Closing a socket with unread input sends a reset, and a peer that is
        reset throws away the answer that it has not read yet.
        """
        with suppress(OSError, gevent.Timeout), gevent.Timeout(LINGER_S):
            self.raw.shutdown(socket.SHUT_WR)
            # Through the loop each time. A peer that sends as fast as we read
            # would otherwise keep it: 250 ms were seen.
            self._wait(READABLE)
            while self.raw.recv(_READ_BYTES):
                self._wait(READABLE)

    def _wait(self, events: int) -> None:
        ready = watcher(self.raw.fileno(), events)
        try:
            get_hub().wait(ready)
        finally:
            ready.close()
