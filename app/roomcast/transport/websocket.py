"""A member that speaks one of the two dialects of WebSocket: its pings, its goodbye, its frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roomcast.protocol.events import Ping
from roomcast.protocol.frames import Opcode
from roomcast.protocol.handshake import Dialect
from roomcast.transport.inbox import Inbox
from roomcast.transport.loop import after
from roomcast.transport.stages import Stage

if TYPE_CHECKING:
    from roomcast.relay.reasons import Reason
    from roomcast.transport.formats import DialectFormat
    from roomcast.transport.goodbyes import Goodbye


class WebSocketMember(Inbox):
    """One WebSocket connection after its handshake. It is made as an ``Inbox`` is."""

    __slots__ = ()

    wire_format: DialectFormat

    # --- what the keep-alive and the drain ask

    def ping(self) -> bool:
        """Ask for a sign of life.

        Returns:
            Whether silence means something now. hixie-76 has no ping; a member
            that is owed bytes shows that it lives by taking them, and one that
            is not read could answer and not be heard.
        """
        is_read = self._stage is Stage.OPEN and self._reader.active
        if self._is_waiting or not is_read or self.dialect is Dialect.HIXIE76:
            return False
        self.is_heard = False
        self._count_sent(Opcode.PING)
        self._write(self._connection.send(Ping(b"")))
        return True

    # --- the end

    def _last_words(self, goodbye: Goodbye) -> bytes:
        return self._connection.send(goodbye.close(self.id))

    def _say_goodbye(self, reason: Reason) -> None:
        super()._say_goodbye(reason)
        if self._early is not None:
            after(0.0, self._take_early)

    # --- what the outbox asks

    def _count_sent(self, opcode: Opcode, frames: int = 1) -> None:
        self._membership.counters.frames_sent[self.dialect][opcode] += frames
