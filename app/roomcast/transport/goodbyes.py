"""Goodbyes: what they say, which one answers what a peer did, and how much is heard of it behind ours."""

from __future__ import annotations

from typing import NamedTuple

from roomcast.protocol import notices
from roomcast.protocol.errors import FrameError
from roomcast.protocol.events import Close
from roomcast.protocol.frames import CloseCode, may_be_sent
from roomcast.protocol.notices import Notice
from roomcast.relay.reasons import Reason

# How much of what comes behind our goodbye is searched for the peer's: what may have
# been under way. As frames of the smallest size it is 10 ms of decoding, as bombs it
# inflates to 64 MiB, and nobody is told any more that it sends too often.
LATE_READ_BYTES = 65_536
# How much is read at all, to be thrown away: room for a message that was too big, since
# a sender that is stuck in its write never gets to our goodbye. It is 2 ms of reading.
LATE_MAX_BYTES = 4_194_304

_REASONS = {
    CloseCode.PROTOCOL_ERROR: Reason.PROTOCOL,
    CloseCode.UNSUPPORTED_DATA: Reason.UNSUPPORTED,
    CloseCode.NOT_UTF8: Reason.NOT_UTF8,
    CloseCode.POLICY_VIOLATION: Reason.RATE,
    CloseCode.TOO_BIG: Reason.TOO_BIG,
}


class Goodbye(NamedTuple):
    """What a member is told last. How much of it, and how, depends on what it speaks."""

    reason: Reason
    """Why."""
    code: int | None
    """The close frame's. None answers a peer that gave none."""
    detail: str = ""
    """``key=value``, where there is more to say."""
    retry_after_ms: int | None = None
    """When it may come back; None where nobody knows."""

    @classmethod
    def of(cls, reason: Reason, detail: str = "", retry_after_ms: int | None = None) -> Goodbye:
        """Return ours, with the code of its reason."""
        return cls(reason, reason.close_code, detail, retry_after_ms)

    def close(self, connection_id: str) -> Close:
        """Return it as a close frame: all that is to be said stands behind the reason.

        Args:
            connection_id: What its user can quote, and the log has too. The answer to
                a peer's own goodbye does without: there is nothing to ask about.
        """
        if self.code is None:
            return Close(None, "")
        retry = "" if self.retry_after_ms is None else f"retry_after_ms={self.retry_after_ms}"
        name = "" if self.reason is Reason.PEER else f"id={connection_id}"
        return Close(self.code, " ".join(filter(None, (self.reason, self.detail, retry, name))))

    def notice(self, connection_id: str) -> Notice:
        """Return it for those who are told more than a close frame can say. A peer's own is answered, not told."""
        back_ms = None if self.reason.is_final else self.retry_after_ms or 0
        return notices.goodbye(
            self.reason,
            self.reason.close_code,
            reconnect_after_ms=back_ms,
            connection_id=connection_id,
            detail=self.detail,
        )


def echo_of(code: int | None) -> Goodbye:
    """Return the answer to a peer's goodbye: its own code (RFC 6455, 5.5.1), without a code none.

    Two codes a client may send and a server must not: 1010 asks for extensions
    that the server left out, 1014 is a gateway's. Their echo is 1000.
    """
    if code is None:
        return Goodbye(Reason.PEER, None)
    return Goodbye(Reason.PEER, code if may_be_sent(code) else CloseCode.NORMAL)


def why(error: FrameError) -> tuple[Reason, str]:
    """Return why a member is closed whose bytes are not read on, and what its goodbye adds to that word."""
    reason = _REASONS[error.close_code]
    # Who sends too often may send less, if it is told of what. Who sends a
    # message that is too big knows which one it was.
    return reason, f"limit={error.limit}" if reason is Reason.RATE else ""
