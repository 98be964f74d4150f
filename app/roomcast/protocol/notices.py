"""What a member is told of its own connection: what it missed, that its token ends, why it has to go.

The facts and their words stand here once. How they travel, as an object of ``roomcast.json``
or as an event of a stream, is ``json_messages``'s and ``event_stream``'s. A raw member is told
none of them: whatever was said would be a message.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Notice:
    """One of them: its kind, a word, and what it says, as JSON can carry it."""

    kind: str
    fields: Mapping[str, object]


def gap(reason: str, offset: int) -> Notice:
    """Return what one is told that missed something: why, and that the next message is after ``offset``."""
    return Notice("gap", {"reason": reason, "offset": offset})


def expiring(expires_in_ms: int) -> Notice:
    """Return the warning to one whose token ends soon."""
    return Notice("expiring", {"expires_in_ms": expires_in_ms})


def goodbye(reason: str, code: int, *, reconnect_after_ms: int | None, connection_id: str, detail: str = "") -> Notice:
    """Return what is said last.

    Args:
        reason: The word for it.
        code: The close code that belongs to it, also where no close frame follows.
        reconnect_after_ms: How long to wait before coming back, at least; None: do not come back unchanged.
        connection_id: For its user to quote; an event stream is told it nowhere else.
        detail: ``key=value``, where there is more to say.
    """
    fields: dict[str, object] = {
        "reason": reason,
        "code": code,
        "reconnect_after_ms": reconnect_after_ms,
        "id": connection_id,
    }
    if detail:
        fields["detail"] = detail
    return Notice("goodbye", fields)
