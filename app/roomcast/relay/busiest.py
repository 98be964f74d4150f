"""In which rooms most is said: a few of them by name, and how much in all others together.

Rooms are as many as clients open, so nothing is kept for each. Messages are counted once a pass,
however many members it serves, in tables that do not grow (``heavy_hitters.py``): one for
the window of time that is running, and one for that before. What is told is the average over
both, so a room that has fallen silent is gone after two windows at most.
"""

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from roomcast.relay.heavy_hitters import HeavyHitters, foremost

WINDOW_S = 10.0
# For a hundred names at most: a count is wrong by what a row has on average, which is a thousandth of all that
# is said. And a room that has a row costs a look-up; one that has to take another's costs four times that.
ROWS = 1_000
# What was said in the first moment is no rate yet.
SPAN_MIN_S = 1.0


class Rates(NamedTuple):
    """Messages a second."""

    named: list[tuple[str, float]]
    """Of the busiest rooms, the busiest first; never more than there were."""
    other: float
    """Of all others together."""


class Busiest:
    """Counts what rooms say.

    Args:
        names_max: How many rooms are told by name.
        clock: Returns seconds from a clock that never goes back.
    """

    __slots__ = ("_clock", "_earlier", "_ends_s", "_names_max", "_now", "_since_s")

    def __init__(self, names_max: int, clock: Callable[[], float]) -> None:
        self._names_max = names_max
        self._clock = clock
        self._earlier, self._now = HeavyHitters(ROWS), HeavyHitters(ROWS)
        # When the window that is running ends, and when those that are counted began.
        self._since_s = clock()
        self._ends_s = self._since_s + WINDOW_S

    def add(self, room: str, messages: int, now_s: float) -> None:
        """Count what a room's pass has begun to serve."""
        if now_s >= self._ends_s:
            self._turn(now_s)
        self._now.add(room, messages)

    def per_second(self) -> Rates:
        """Return how much is said."""
        now_s = self._clock()
        if now_s >= self._ends_s:
            self._turn(now_s)
        counts = Counter(self._earlier.counts())
        counts.update(self._now.counts())
        named = foremost(counts, self._names_max)
        other = self._earlier.total + self._now.total - sum(count for _, count in named)
        span_s = max(now_s - self._since_s, SPAN_MIN_S)
        return Rates([(room, count / span_s) for room, count in named], other / span_s)

    def _turn(self, now_s: float) -> None:
        """Begin the next window."""
        if now_s >= self._ends_s + WINDOW_S:
            # Nothing was said for a whole one.
            self._earlier, self._since_s = HeavyHitters(ROWS), now_s
            self._ends_s = now_s + WINDOW_S
        else:
            self._earlier, self._since_s = self._now, self._ends_s - WINDOW_S
            self._ends_s += WINDOW_S
        self._now = HeavyHitters(ROWS)
