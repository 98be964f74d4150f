"""How fast something comes: messages and bytes a second, over the last few seconds."""

from collections import deque
from dataclasses import dataclass

WINDOW_S = 5
"""Long enough that a number can be read, short enough that it is about now."""


@dataclass(slots=True)
class _Second:
    number: int
    messages: int = 0
    size_bytes: int = 0


class Rate:
    """Counts what comes, second by second; forgets what is older than the window.

    Args:
        now: The time at which counting begins, in seconds, by the clock of all calls.
    """

    def __init__(self, now: float) -> None:
        self._began = now
        self._seconds: deque[_Second] = deque(maxlen=WINDOW_S)
        self.messages = 0
        """All that have come."""
        self.size_bytes = 0
        """All bytes that have come."""

    def note(self, now: float, size_bytes: int) -> None:
        """Count one message."""
        if not self._seconds or self._seconds[-1].number != int(now):
            self._seconds.append(_Second(int(now)))
        self._seconds[-1].messages += 1
        self._seconds[-1].size_bytes += size_bytes
        self.messages += 1
        self.size_bytes += size_bytes

    def per_s(self, now: float) -> tuple[float, float]:
        """Return messages and bytes a second."""
        # The current second has only begun: what it holds stands for the part that is over.
        first = int(now) - WINDOW_S + 1
        recent = [second for second in self._seconds if second.number >= first]
        span_s = max(now - max(first, self._began), 1)
        return sum(each.messages for each in recent) / span_s, sum(each.size_bytes for each in recent) / span_s
