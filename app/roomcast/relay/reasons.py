"""Why a member was closed, or a message dropped: the same word everywhere.

The word stands in the log line, in the ``reason`` label of the metrics and at
the start of the close frame's reason, so that an operator who reads one of
them can search for the others. The number is the close code of RFC 6455,
section 7.4; browsers and their users see nothing else of us.

Words are added when something can end that way, never before.
"""

from enum import StrEnum


class Reason(StrEnum):
    """Why a member was closed, or a message was not delivered to it."""

    PEER = "peer"
    """The peer began the closing handshake; its own code is echoed."""
    GONE = "gone"
    """The connection ended without a closing handshake: a reset, an end of stream."""
    RESTART = "restart"
    """The relay is draining: come back, to another process or to this one's successor."""
    PROTOCOL = "protocol"
    """The peer broke the framing rules of its dialect."""
    UNSUPPORTED = "unsupported"
    """What the peer's dialect cannot carry: a binary message to hixie-76 is dropped so."""
    NOT_UTF8 = "not_utf8"
    """A text message, or a close reason, was not UTF-8."""
    RATE = "rate"
    """More messages, bytes, or frames that bring none, a second than one member may send."""
    TOO_BIG = "too_big"
    """A message longer, or in more fragments, than the template allows."""
    PONG_TIMEOUT = "pong_timeout"
    """Nothing was heard after a ping."""
    WRITE_TIMEOUT = "write_timeout"
    """The peer took nothing of what it is owed."""
    INTERNAL = "internal"
    """A fault of ours."""
    LAGGING = "lagging"
    """The member fell further behind than its room keeps."""
    OVERLOADED = "overloaded"
    """The member fell behind, and there was no memory left to hold anything for it."""
    KICKED = "kicked"
    """An operator, or a backend, sent this member away."""
    ROOM_CLOSED = "room_closed"
    """The room was closed, with all that it kept."""
    GAP = "gap"
    """The member wanted to go on where it had been, and what came after that is not kept any more."""
    EXPIRED = "token_expired"
    """The token that let it in has ended: come back with a new one."""
    REVOKED = "revoked"
    """An operator has revoked the tokens of its subject."""
    FORBIDDEN = "forbidden"
    """It did what its token does not let it do: it published."""

    @property
    def close_code(self) -> int:
        """The code of the close frame that says so.

        ``PEER`` and ``GONE`` have the code of a normal closure: the first is
        answered with the peer's own code where it gave one, the second is
        never sent.
        """
        return _CLOSE_CODES[self]

    @property
    def is_final(self) -> bool:
        """Whether it says: do not come back unchanged."""
        return self.close_code in _FINAL_CODES


_CLOSE_CODES = {
    Reason.PEER: 1000,
    Reason.GONE: 1000,
    Reason.RESTART: 1012,
    Reason.PROTOCOL: 1002,
    Reason.UNSUPPORTED: 1003,
    Reason.NOT_UTF8: 1007,
    Reason.RATE: 1008,
    Reason.TOO_BIG: 1009,
    Reason.PONG_TIMEOUT: 1011,
    Reason.WRITE_TIMEOUT: 1011,
    Reason.INTERNAL: 1011,
    Reason.LAGGING: 1013,
    Reason.OVERLOADED: 1013,
    # See _FINAL_CODES.
    Reason.KICKED: 4403,
    Reason.ROOM_CLOSED: 4404,
    Reason.GAP: 4410,
    Reason.EXPIRED: 4401,
    Reason.REVOKED: 4403,
    Reason.FORBIDDEN: 4403,
}

# From 4000 on codes are an application's own (RFC 6455, 7.4.2).
_FINAL_CODES = range(4400, 4500)
