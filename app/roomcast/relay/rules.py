"""How the rooms of one template behave."""

from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True, slots=True)
class RoomRules:
    """What an operator may decide about rooms. Bytes count a message's payload and ``OVERHEAD_BYTES``."""

    echo: bool = False
    """Whether a sender receives its own messages."""
    members_max: int = 10_000
    """0: no limit."""
    overflow: Literal["close", "skip"] = "close"
    """What becomes of a member that fell further behind than the room keeps."""
    over_rate: Literal["close", "drop"] = "close"
    """What becomes of a member that sends more messages or bytes a second than it may; or only of the message."""
    lag_max_bytes: int = 4_194_304
    """How much of the log is kept for laggards."""
    pending_max_bytes: int = 1_048_576
    """Unflushed; above it whoever publishes is not read."""
    gather_max_s: float = 0.025
    """How long a busy room may gather messages into one burst."""
    history_messages: int = 0
    """How many of the newest messages are kept for those who come later; 0: none."""
    history_max_bytes: int = 1_048_576
    """How much of them."""
    history_max_age_s: float = 3_600
    """And for how long."""
    presence: bool = False
    """Whether members learn who comes and goes, if they can be told."""
    presence_interval_s: float = 1.0
    """How long those who come and go are gathered before the others are told."""

    def after(self, opened_by: "RoomRules") -> "RoomRules":
        """Return these for a room that was opened by others: what is made with a room stays as it was made."""
        old = opened_by
        rules = replace(self, presence=old.presence, presence_interval_s=old.presence_interval_s)
        if bool(self.history_messages) == bool(old.history_messages):
            return rules
        return replace(
            rules,
            history_messages=old.history_messages,
            history_max_bytes=old.history_max_bytes,
            history_max_age_s=old.history_max_age_s,
            # Whoever asks for all that is kept must not be too far behind at once.
            lag_max_bytes=max(self.lag_max_bytes, old.lag_max_bytes),
        )
