"""A member that reads its room as an event stream, and says nothing.

It hears what all others hear, from the same log, falls behind and catches up like them.
What differs is what HTTP has not: a pong (so its silence means nothing: the write deadline
and TCP's keep-alive find the dead), and a closing handshake (so when ours has been said,
there is nothing to wait for).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from roomcast.protocol.event_stream import KEEP_ALIVE, notice_event
from roomcast.relay.reasons import Reason
from roomcast.transport.goodbyes import LATE_READ_BYTES
from roomcast.transport.member import StreamMember
from roomcast.transport.stages import Stage

if TYPE_CHECKING:
    from roomcast.protocol.frames import Opcode
    from roomcast.protocol.notices import Notice
    from roomcast.transport.goodbyes import Goodbye

RETRY_MS = 2000
"""How long a browser waits until it connects again, unless it was told another time. Its own default is 3 to 5 s."""


class SseMember(StreamMember):
    """One event stream after the head of its answer. It is made as a ``StreamMember`` is."""

    __slots__ = ("_told",)

    def _prepare(self) -> None:
        self._is_peer_done = True
        # What is no room's and waits for its turn, between events: one or two of these, never more.
        self._told = b""

    # --- what it is told

    def _notify(self, notice: Notice) -> None:
        event = notice_event(notice)
        if self._stage is Stage.OPEN:
            self._told += event
            if not self._is_waiting:
                self._write(self._take_told())

    def _take_told(self) -> bytes:
        told, self._told = self._told, b""
        return told

    def _next_own(self) -> memoryview | None:
        if self._tail is None and self._told:
            return memoryview(self._take_told())
        return super()._next_own()

    # --- what the keep-alive and the drain ask

    def ping(self) -> bool:
        """Write a comment, so that nothing between takes a quiet room for a dead connection. Nobody answers it."""
        if self._stage is Stage.OPEN and not self._is_waiting:
            self._write(KEEP_ALIVE)
        return False

    # --- what it sends: nothing that anybody wants

    def _begin_with(self, received: bytes) -> None:
        self._take(received)

    def _take(self, data: bytes) -> None:
        # HTTP lets a client send its next request before it has its answer; this answer has no end.
        self._late_bytes += len(data)
        if self._late_bytes > LATE_READ_BYTES:
            self.dismiss(Reason.PROTOCOL, f"sent_bytes={self._late_bytes}")

    # --- the end

    def _last_words(self, goodbye: Goodbye) -> bytes:
        # A browser that is told no time keeps the one that it was told at the begin.
        return notice_event(goodbye.notice(self.id), retry_ms=goodbye.retry_after_ms)

    # --- what the outbox asks

    def _count_sent(self, opcode: Opcode, frames: int = 1) -> None:
        """An event stream has no opcodes: its bytes are counted, and its messages by their room."""
