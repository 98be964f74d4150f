"""What is done to whoever exceeds a limit: the two labels of ``roomcast_limit_hits_total``.

A limit is called as its setting is. Whoever notices that one is exceeded puts
that name into its "no" (``HandshakeError.limit``, ``FrameError.limit``,
``Refusal.limit``), so that whoever acts on it counts it, and nobody has to read it
out of a message.

The table holds every pair that can occur and no other: each stands in the first
scrape, at zero.
"""

from enum import StrEnum
from typing import Final


class Action(StrEnum):
    """What became of whoever exceeded a limit."""

    REFUSED = "refused"
    """It was not let in."""
    CLOSED = "closed"
    """It was a member, and was closed."""
    DROPPED = "dropped"
    """It is a member, stays one, and messages are lost: to it, or of it."""
    REPORTED = "reported"
    """Nothing: the operator wants to know only."""


_ACTIONS: Final[dict[str, tuple[Action, ...]]] = {
    "connections_max": (Action.REFUSED,),
    "connections_per_address": (Action.REFUSED, Action.REPORTED),
    "handshakes_max": (Action.REFUSED,),
    "handshakes_per_address": (Action.REFUSED, Action.REPORTED),
    "handshake_timeout_s": (Action.REFUSED,),
    "head_max_bytes": (Action.REFUSED,),
    "headers_max": (Action.REFUSED,),
    "rooms_max": (Action.REFUSED,),
    "members_max": (Action.REFUSED, Action.REPORTED),
    "message_max_bytes": (Action.CLOSED,),
    "fragments_max": (Action.CLOSED, Action.REPORTED),
    "control_frames_per_s": (Action.CLOSED, Action.REPORTED),
    "fragments_per_s": (Action.CLOSED, Action.REPORTED),
    "messages_per_s": (Action.CLOSED, Action.DROPPED, Action.REPORTED),
    "bytes_per_s": (Action.CLOSED, Action.DROPPED, Action.REPORTED),
    "lag_max_bytes": (Action.CLOSED, Action.DROPPED),
    "lag_total_max_bytes": (Action.REFUSED, Action.CLOSED),
}


def no_hits() -> dict[tuple[str, str], int]:
    """Return a counter for each limit and what can be done about it, all of them at zero."""
    return {(limit, action): 0 for limit, actions in _ACTIONS.items() for action in actions}
