"""Limits that are only reported: whoever exceeds one is counted, spoken of now and then, and not stopped.

That is for the days before a limit becomes strict: an operator sees how many
it would have met, and no user notices.
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
        self._limits = frozenset(limits)
        self._counters = counters
        self._journal = journal
        self._clock = clock
        # When each may be spoken of again, and how many there were since.
        self._silent_until_s = dict.fromkeys(self._limits, -inf)
        self._unspoken = dict.fromkeys(self._limits, 0)

    def __contains__(self, limit: str) -> bool:
        """Whether a limit is only reported. Counts nothing."""
        return limit in self._limits

    def tolerates(self, limit: str) -> bool:
        """Tell whether a limit that has been exceeded is only reported; count it if it is."""
        if limit not in self._limits:
            return False
        self._counters.limit_hits[limit, Action.REPORTED] += 1
        self._unspoken[limit] += 1
        now = self._clock()
        if now >= self._silent_until_s[limit]:
            self._silent_until_s[limit] = now + SPOKEN_OF_EVERY_S
            self._journal.warning("limit exceeded, only reported", limit=limit, times=self._unspoken[limit])
            self._unspoken[limit] = 0
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
