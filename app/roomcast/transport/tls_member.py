"""A member whose connection is encrypted.

It differs in one thing, whatever it speaks. What the kernel did not take of a record
cannot be given back to the room, because its data is encrypted already: it counts as
taken, and waits here. So this member may have all that it was offered, and wait to be
writable all the same; then it takes nothing, and before anything else, or when
there is nothing else, it writes that rest.
"""

from __future__ import annotations

from roomcast.relay.reasons import Reason
from roomcast.transport.json_member import JsonMember
from roomcast.transport.outbox import Outbox
from roomcast.transport.sse import SseMember
from roomcast.transport.tls import TlsSocket
from roomcast.transport.websocket import WebSocketMember


class TlsOutbox(Outbox):
    """An ``Outbox`` on a ``TlsSocket``, to stand before the class of a member."""

    __slots__ = ()

    _raw: TlsSocket

    def offer(self, data: bytes) -> int:
        """Write what the kernel takes of ``data``, to the end of a record."""
        if self._is_waiting:
            return -1 if self._is_dead else 0
        taken = super().offer(data)
        if self._raw.unsent:
            self.want_write()
        return taken

    def kernel_bytes(self) -> int:
        """Return what the kernel keeps, and what is kept for it here: it is nobody else's either."""
        return super().kernel_bytes() + len(self._raw.unsent)

    def _write_own(self) -> bool:
        if not super()._write_own():
            return False
        try:
            return self._raw.flush()
        except OSError:
            self._close(Reason.GONE)
            return False


class TlsMember(TlsOutbox, WebSocketMember):
    """A ``WebSocketMember`` on a ``TlsSocket``."""

    __slots__ = ()


class TlsJsonMember(TlsOutbox, JsonMember):
    """A ``JsonMember`` on a ``TlsSocket``."""

    __slots__ = ()


class TlsSseMember(TlsOutbox, SseMember):
    """An ``SseMember`` on a ``TlsSocket``."""

    __slots__ = ()
