"""The body of a request at the private door: who still owes one, and how to part from them.

pywsgi answers a request whose body nobody wanted, and then waits for that body, to
find the next request behind it. Whoever announces one and never sends it holds a
connection for as long as a request may take, without a key. Here an answer that leaves
before the body is there is the last one of its connection.

Source: RFC 9112, 9.3 and 9.6.
"""

from __future__ import annotations

import socket as native
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from gevent import Timeout
from gevent.pywsgi import Input

from roomcast.api.turns import take_turn

if TYPE_CHECKING:
    from collections.abc import Callable
    from io import BufferedReader

    from gevent.socket import socket

LINGER_S: Final = 1.0
"""How long a client that still sends is listened to after its answer. It is there within a round trip, or two."""


class Body(Input):
    """What an application reads: pywsgi's, which is never read to its end by anybody else.

    Args:
        rfile: What the connection brings.
        length_bytes: As the head says; None: nothing.
        continuing: Where to say "100 Continue" when it is read; None: nobody waits for that.
        when_whole: Called when its last byte has been read.
    """

    __slots__ = ("_when_whole",)

    def __init__(
        self,
        rfile: BufferedReader,
        length_bytes: int | None,
        continuing: socket | None,
        when_whole: Callable[[], object],
    ) -> None:
        super().__init__(rfile, length_bytes, socket=continuing)
        self._when_whole = when_whole

    @property
    def is_owed(self) -> bool:
        """Whether some of it has not been read."""
        return self.position < (self.content_length or 0)

    def read(self, length: int | None = None) -> bytes:
        """Return so many bytes, or the rest. Raises OSError if it breaks off."""
        return self._noted(super().read(length))

    def readline(self, size: int | None = None) -> bytes:
        """Return a line, or so much of it. Raises OSError if it breaks off."""
        return self._noted(super().readline(size))

    def _noted(self, data: bytes) -> bytes:
        if not self.is_owed:
            self._when_whole()
        return data

    def _discard(self) -> None:
        """Leave the rest where it is: a hook of pywsgi's, which would wait for it."""


def part(sock: socket, linger_s: float = LINGER_S) -> None:
    """End our side of a connection whose client may still send, and listen until it has its answer.

    Closed with bytes unread, the kernel resets the connection, and "the client's TCP stack … might erase the
    client's unacknowledged input buffers before they can be read" (RFC 9112, 9.6).
    """
    with suppress(OSError, Timeout), Timeout(linger_s):
        sock.shutdown(native.SHUT_WR)
        while sock.recv(65_536):
            # Whoever sends as fast as it is read would have the loop for itself.
            take_turn()
