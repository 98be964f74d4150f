"""TLS between a TCP socket and a member: the calls of a socket, and records on the wire.

OpenSSL is not given the socket. It reads from one buffer in memory and writes into
another, and all connections of a loop share these two: nothing switches greenlets
between filling them and emptying them, so they are empty whenever somebody else
has a turn. uSockets does the same. Against the standard library's SSLSocket:

* Nobody keeps the loop. On a socket OpenSSL reads on for as long as records come
  that hold no data, as TLS 1.3's changes of keys: 2.7 MB of them were one read of
  1.2 s. Here it sees what one wake-up reads, which is 14 ms of them, and who goes on
  with little else is closed.
* Nothing is to be repeated. A write that SSL_write would have wait must be made
  again, later, with the same bytes: a shorter one ends the connection, another of
  the same length corrupts it in silence. What our buffer took are records, and
  their unsent rest is bytes as any other. The same goes for what OpenSSL has to
  say when we only read.
* A connection takes 14.6 KiB, as it does with SSLSocket. With two buffers of its
  own it would be 37: they keep the size that they once had.

All errors of TLS end here. A peer that breaks its rules, or says goodbye, is at the
end of its stream; only a handshake says what was wrong.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import _socket

    from roomcast.transport.certificate import Certificate

HANDSHAKE_TYPE = 0x16
"""The first byte that a client of TLS sends (RFC 8446, 5.1)."""

# What a record holds at most (RFC 8446, 5.1), and what it takes then (RFC 5246,
# 6.2.3, where the overhead may be larger).
RECORD_BYTES = 16_384
_SEALED_MAX_BYTES = 5 + RECORD_BYTES + 2048

# How many bytes a byte of data may take, in the long run. In TLS 1.3 a record for it alone
# has 23, in TLS 1.2 up to 53. A change of keys, which only TLS 1.3 knows, has 27, brings
# none, and costs us 22 µs.
_RECEIVED_PER_BYTE = {"TLSv1.3": 32}
_RECEIVED_PER_BYTE_BEFORE = 64

# What we may owe a peer in answers of TLS itself, to changes of keys. Who asks for
# this many and reads none wants our memory.
_UNSENT_MAX_BYTES = 65_536


class TlsError(OSError):
    """A handshake that came to nothing. The message is OpenSSL's word for it."""


class TlsServer:
    """What the TLS connections of one loop share.

    Args:
        certificate: The one in force.
    """

    def __init__(self, certificate: Certificate) -> None:
        self._certificate = certificate
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()

    def accept(self, raw: _socket.socket) -> TlsSocket:
        """Return a connection whose handshake is still to be made."""
        tls = self._certificate.context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        return TlsSocket(raw, tls, self._incoming, self._outgoing)


class TlsSocket:
    """A connection, with those calls of a non-blocking socket that members and visitors make.

    Args:
        raw: The TCP socket, which is closed with this.
        tls: OpenSSL's side of it.
        incoming: What ``tls`` reads from. Empty between two calls.
        outgoing: What it writes into. Likewise.
    """

    __slots__ = (
        "_barren_bytes",
        "_incoming",
        "_is_ended",
        "_is_shut",
        "_outgoing",
        "_raw",
        "_received_per_byte",
        "_tls",
        "unsent",
    )

    def __init__(
        self, raw: _socket.socket, tls: ssl.SSLObject, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO
    ) -> None:
        self._raw = raw
        self._tls = tls
        self._incoming = incoming
        self._outgoing = outgoing
        # What is encrypted, counts as taken, and waits for the kernel: at most
        # one piece, and answers of TLS itself.
        self.unsent = b""
        # What was received beyond what the data in it accounts for.
        self._barren_bytes = 0
        self._received_per_byte = _RECEIVED_PER_BYTE_BEFORE
        self._is_ended = False
        self._is_shut = False

    @property
    def family(self) -> int:
        """As a socket's."""
        return self._raw.family

    def fileno(self) -> int:
        """As a socket's."""
        return self._raw.fileno()

    def getsockopt(self, level: int, option: int, size: int, /) -> bytes:
        """As a socket's."""
        return self._raw.getsockopt(level, option, size)

    def setsockopt(self, level: int, option: int, value: bytes, /) -> None:
        """As a socket's."""
        self._raw.setsockopt(level, option, value)

    def shake_hands(self, received: bytes) -> bytes | None:
        """Go on with the handshake, and write what is to be said.

        Returns:
            None while more is needed. At the end, the data that came behind
            the handshake already.

        Raises:
            TlsError: If there can be none. The peer has been told.
            OSError: If it is gone.
        """
        self._incoming.write(received)
        data = None
        try:
            self._tls.do_handshake()
            self._received_per_byte = _RECEIVED_PER_BYTE.get(self._tls.version() or "", _RECEIVED_PER_BYTE_BEFORE)
            data = self._decrypt()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            raise TlsError((error.reason or "not TLS").lower().replace("_", " ")) from None
        finally:
            self._empty_buffers()
        return data

    def recv(self, size: int, /) -> bytes:
        """Return the data in what has arrived, b"" at the end of the stream.

        Behind ``shutdown`` it is what has arrived, as it is.

        Raises:
            BlockingIOError: While there is none.
            OSError: As a socket's.
        """
        if self._is_ended:
            return b""
        received = self._raw.recv(size)
        if not received or self._is_shut:
            # An end that was not announced (close_notify) is one as well: what it
            # cut off has no close frame. And behind our own end whoever reads
            # throws away what comes: it is not worth decrypting.
            return received
        self._incoming.write(received)
        data = self._decrypt()
        if self._outgoing.pending or self._incoming.pending:
            self._empty_buffers()
        self._barren_bytes = max(self._barren_bytes + len(received) - self._received_per_byte * len(data), 0)
        if self._barren_bytes > _SEALED_MAX_BYTES:
            self._end()
        if data:
            return data
        raise BlockingIOError

    def send(self, data: bytes | memoryview, /) -> int:
        """Write what the kernel takes of ``data``, in pieces of a record.

        A piece that it does not take whole counts as taken, and its rest is
        ``unsent``: whoever has sent must look there, and ``flush``.

        Raises:
            BlockingIOError: If something is unsent. Nothing is taken then.
            OSError: As a socket's.
        """
        if self.unsent and not self.flush():
            raise BlockingIOError
        if len(data) > RECORD_BYTES:
            return self._send_pieces(memoryview(data))
        try:
            self._tls.write(data)
        finally:
            # Also what a write that failed has left: it is for this peer only.
            sealed = self._outgoing.read()
        self._push(sealed)
        return len(data)

    def _send_pieces(self, view: memoryview) -> int:
        taken = 0
        while taken < len(view) and not self.unsent:
            taken += self.send(view[taken : taken + RECORD_BYTES])
        return taken

    def flush(self) -> bool:
        """Write what is unsent. Returns whether nothing is any more. Raises OSError."""
        if self.unsent:
            self._push(self.unsent)
        return not self.unsent

    def shutdown(self, how: int, /) -> None:
        """End our side of TLS, without waiting for the peer's, and then of TCP."""
        self._say_end()
        self._raw.shutdown(how)

    def close(self) -> None:
        """Close the socket, and end our side of TLS before, where that is not done and nothing waits in front of it."""
        if not self._is_shut and not self.unsent:
            with suppress(OSError):
                self._say_end()
        self._raw.close()

    # --- OpenSSL, and the two buffers

    def _say_end(self) -> None:
        """Send close_notify. "Each party MUST" (RFC 8446, 6.1): what was cut off looks like an attack."""
        self._is_shut = True
        with suppress(ssl.SSLError):
            # Writes it, and complains that the peer's has not come yet.
            self._tls.unwrap()
        self._empty_buffers()

    def _push(self, sealed: bytes) -> None:
        """Write records, all that is unsent being the first of them."""
        try:
            taken = self._raw.send(sealed)
        except BlockingIOError:
            taken = 0
        self.unsent = sealed[taken:]

    def _decrypt(self) -> bytes:
        """Return all data in what was received."""
        data = b""
        try:
            # A read returns the data of one record, and asks for as much as one can hold:
            # so nothing stays behind in OpenSSL, where no watcher would see it.
            while self._incoming.pending:
                part = self._tls.read(RECORD_BYTES)
                if not part:
                    self._end()
                    break
                data += part
        except ssl.SSLWantReadError:
            # The rest of a record is still to come.
            pass
        except OSError:
            # Of which SSLError is one: a record that was forged, an alert.
            self._end()
        return data

    def _empty_buffers(self) -> None:
        """Leave nothing to the next connection: drop what OpenSSL will not read, write what it has to say."""
        self._incoming.read()
        answer = self._outgoing.read()
        if answer:
            self.unsent += answer
            if len(self.unsent) > _UNSENT_MAX_BYTES:
                self._end()
            self.flush()

    def _end(self) -> None:
        """Read no more. Whoever waits until there is something to read is told by the loop, as of TCP's end."""
        self._is_ended = True
        with suppress(OSError):
            self._raw.shutdown(socket.SHUT_RD)
