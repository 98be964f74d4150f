"""A member that reads its room as an event stream, and says nothing.

It hears what all others hear, from the same log, falls behind and catches up like them.
What differs is what HTTP has not: a pong (so its silence means nothing: the write deadline
and TCP's keep-alive find the dead), and a closing handshake (so when ours has been said,
there is nothing to wait for).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from roomcast.protocol.event_stream import KEEP_ALIVE, named_event
from roomcast.relay.reasons import Reason
from roomcast.transport.goodbyes import LATE_READ_BYTES
from roomcast.transport.member import StreamMember
from roomcast.transport.stages import Stage

if TYPE_CHECKING:
    from roomcast.protocol.frames import Opcode
    from roomcast.transport.loop import Stream
    from roomcast.transport.membership import Membership
    from roomcast.transport.sse_format import SseFormat

RETRY_MS = 2000
"""How long a browser waits until it connects again, unless it was told another time. Its own default is 3 to 5 s."""

# Codes from here on say: do not come back unchanged.
_FINAL_CODES = 4400


class SseMember(StreamMember):
    """One event stream after the head of its answer.

    Args:
        raw: Its socket, non-blocking. The member closes it.
        wire_format: Its cohort's.
        address: The peer's, for the log and the count per address.
        membership: What it shares with all other members.
    """

    __slots__ = ("_detail", "_retry_after_ms", "_told")

    def __init__(self, raw: Stream, wire_format: SseFormat, address: str, membership: Membership) -> None:
        super().__init__(raw, wire_format, address, membership)
        self._is_peer_done = True
        # What its goodbye says beside the reason.
        self._detail = ""
        self._retry_after_ms: int | None = None
        # What is no room's and waits for its turn, between events: one or two of these, never more.
        self._told = b""

    # --- what it is told

    def missed(self, cursor: int) -> None:
        """Tell the page that it goes on after ``cursor``, and what lay before is lost to it."""
        self._tell(gap_event("lagging", cursor))

    def expiring(self, expires_in_ms: int) -> None:
        """Tell the page that its token ends soon."""
        self._tell(named_event("expiring", json.dumps({"expires_in_ms": expires_in_ms})))

    def _tell(self, event: bytes) -> None:
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

    def dismiss(self, reason: Reason, detail: str = "", *, retry_after_ms: int | None = None) -> None:
        """See ``StreamMember.dismiss``."""
        if self._stage is Stage.OPEN:
            self._detail, self._retry_after_ms = detail, retry_after_ms
            self._part(reason)

    # --- what it sends: nothing that anybody wants

    def _begin_with(self, received: bytes) -> None:
        self._take(received)

    def _take(self, data: bytes) -> None:
        # HTTP lets a client send its next request before it has its answer; this answer has no end.
        self._late_bytes += len(data)
        if self._late_bytes > LATE_READ_BYTES:
            self.dismiss(Reason.PROTOCOL, "an event stream is only read")

    # --- the end

    def _last_words(self, reason: Reason) -> bytes:
        is_final = reason.close_code >= _FINAL_CODES
        back_ms = RETRY_MS if self._retry_after_ms is None else self._retry_after_ms
        said: dict[str, object] = {"reason": reason, "code": reason.close_code}
        said["reconnect_after_ms"] = None if is_final else back_ms
        if self._detail and reason is self._close_reason:
            said["detail"] = self._detail
        return named_event("goodbye", json.dumps(said), retry_ms=None if is_final else back_ms)

    # --- what the outbox asks

    def _count_sent(self, opcode: Opcode, frames: int = 1) -> None:
        """An event stream has no opcodes: its bytes are counted, and its messages by their room."""


def gap_event(reason: str, offset: int) -> bytes:
    """Return what says that a stream goes on after ``offset``, and why what lay before is lost to its reader."""
    return named_event("gap", json.dumps({"reason": reason, "offset": offset}))
