"""The stages of a member's life, in their order.

*Open*: messages in both directions. *Parting*: it is no longer read, and gets
what it is owed. *Closing*: the close frame is written, or waits for its turn; the
peer's is awaited, unless nothing more is expected of it. *Lingering*: our side is
shut down, and what still arrives is thrown away for a moment, because closing a
socket with unread bytes resets the connection, and the peer would lose the close
frame. The last two have deadlines of their own; a parting member has the write
deadline, as everybody has who is owed something.
"""

from enum import IntEnum


class Stage(IntEnum):
    """How far a member's life has gone. Nobody goes back."""

    OPEN = 0
    PARTING = 1
    CLOSING = 2
    LINGERING = 3
    CLOSED = 4
