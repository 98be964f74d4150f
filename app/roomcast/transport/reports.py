"""Rules that are only reported: whoever breaks one is counted, spoken of now and then, and not stopped.

That is for the days before a limit, or a list of origins, becomes strict: an operator sees how
many it would have met, and no user notices.
"""

from collections.abc import Callable, Collection
from math import inf

from roomcast.logs import Journal
from roomcast.metrics import TransportCounters
from roomcast.policies.hits import Action
from roomcast.policies.limits import MemberRate

# A flood exceeds its limit a hundred thousand times a second, and each time it
# is the same news.
SPOKEN_OF_EVERY_S = 60.0


class Occasion:
    """Something that happens all the time, and when it may be spoken of again: at once, then every minute."""

    __slots__ = ("_silent_until_s", "_unspoken")

    def __init__(self) -> None:
        self._silent_until_s = -inf
        self._unspoken = 0

    def times_to_tell(self, now_s: float) -> int:
        """Count it; return how often it has happened since it was last spoken of, 0 if that is not long ago."""
        self._unspoken += 1
        if now_s < self._silent_until_s:
            return 0
        self._silent_until_s = now_s + SPOKEN_OF_EVERY_S
        times, self._unspoken = self._unspoken, 0
        return times


class Reports:
    """Asked, when a limit is exceeded, whether that matters.

    Args:
        limits: The names of the settings that are only reported.
        counters: Where that is counted.
        journal: The log.
        clock: Seconds from a clock that never goes back.
    """

    def __init__(
        self, limits: Collection[str], counters: TransportCounters, journal: Journal, clock: Callable[[], float]
    ) -> None:
        self._occasions = {limit: Occasion() for limit in limits}
        self._counters = counters
        self._journal = journal
        self._clock = clock

    def change(self, limits: Collection[str]) -> None:
        """Report these only from now on."""
        self._occasions = {limit: self._occasions.get(limit) or Occasion() for limit in limits}

    def __contains__(self, limit: str) -> bool:
        """Whether a limit is only reported. Counts nothing."""
        return limit in self._occasions

    def tolerates(self, limit: str) -> bool:
        """Tell whether a limit that has been exceeded is only reported; count it if it is."""
        occasion = self._occasions.get(limit)
        if occasion is None:
            return False
        self._counters.limit_hits[limit, Action.REPORTED] += 1
        if times := occasion.times_to_tell(self._clock()):
            self._journal.warning("limit exceeded, only reported", limit=limit, times=times)
        return True

    def enforced(self, rate: MemberRate, limit: str, size_bytes: int) -> str | None:
        """Return the limit that stops a message; None if all that it exceeds are only reported, and it is counted.

        Args:
            rate: Its sender's.
            limit: What ``rate.admit`` said of it.
            size_bytes: Its size.
        """
        exceeded: str | None = limit
        while exceeded is not None and self.tolerates(exceeded):
            exceeded = rate.admit_beyond(exceeded, size_bytes)
        return exceeded
