"""A member that speaks one of the two dialects of WebSocket: its pings, its goodbye, its frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roomcast.protocol.events import Close, Ping
from roomcast.protocol.frames import Opcode
from roomcast.protocol.handshake import Dialect
from roomcast.transport.inbox import Inbox
from roomcast.transport.loop import Stream, after
from roomcast.transport.stages import Stage

if TYPE_CHECKING:
    from roomcast.policies.limits import MemberRate
    from roomcast.protocol.connection import Connection
    from roomcast.relay.reasons import Reason
    from roomcast.transport.formats import DialectFormat
    from roomcast.transport.membership import Membership


class WebSocketMember(Inbox):
    """One WebSocket connection after its handshake.

    Args:
        connection: Its protocol state.
        raw: Its socket, non-blocking. The member closes it.
        wire_format: Its cohort's.
        rate: What it may send, or None for no limit.
        address: The peer's, for the log and the count per address.
        membership: What it shares with all other members.
    """

    __slots__ = ("_goodbye",)

    wire_format: DialectFormat

    def __init__(
        self,
        connection: Connection,
        raw: Stream,
        wire_format: DialectFormat,
        rate: MemberRate | None,
        address: str,
        membership: Membership,
    ) -> None:
        super().__init__(connection, raw, wire_format, rate, address, membership)
        self._goodbye: Close | None = None

    def fail(self) -> None:
        """Say goodbye for a fault of ours, whatever it was to be told."""
        self._goodbye = None
        super().fail()

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

    def dismiss(self, reason: Reason, detail: str = "", *, retry_after_ms: int | None = None) -> None:
        """See ``StreamMember.dismiss``. All of it stands in the close frame, behind the reason."""
        if retry_after_ms is not None:
            detail = f"retry_after_ms={retry_after_ms}"
        text = f"{reason} {detail}" if detail else str(reason)
        self._part_with(Close(reason.close_code, text), reason)

    # --- the end

    def _part_with(self, goodbye: Close, reason: Reason) -> None:
        if self._stage is Stage.OPEN:
            self._goodbye = goodbye
            self._part(reason)

    def _last_words(self, reason: Reason) -> bytes:
        return self._connection.send(self._goodbye or Close(reason.close_code, str(reason)))

    def _say_goodbye(self, reason: Reason) -> None:
        super()._say_goodbye(reason)
        if self._early is not None:
            after(0.0, self._take_early)

    # --- what the outbox asks

    def _count_sent(self, opcode: Opcode, frames: int = 1) -> None:
        self._membership.counters.frames_sent[self.dialect][opcode] += frames
