"""What the relay counts, as plain integers.

A counter here is an attribute and an addition: no lock, no label lookup, no
call into a metrics library, because some of them stand beside the hot path.
Whoever publishes them reads them when it is asked, and turns them into
whatever form its reader wants.
"""

from bisect import bisect_left
from collections.abc import Sequence

from roomcast.relay.reasons import Reason
from roomcast.relay.start import Gap


class Histogram:
    """How often a value fell between fixed bounds; one bisect an observation.

    Args:
        bounds: Upper bounds, ascending, each included in its bucket. Values
            above the last are counted too, in a bucket without a bound.
    """

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        # Not cumulated: that is done by the reader, once per scrape.
        self.counts = [0] * (len(self.bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count one value, in the unit of the bounds."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class TemplateCounters:
    """The numbers of all rooms of one template.

    One object serves all of them, so that an operator's graphs have as many
    lines as the configuration has templates, never as many as clients have
    invented rooms.
    """

    __slots__ = (
        "delivered",
        "dropped",
        "laggards",
        "members",
        "name",
        "published_binary",
        "published_text",
        "publishers_paused",
        "received_binary",
        "received_text",
        "resumes",
        "rooms",
        "skips",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        # Gauges: what is so now.
        self.rooms = 0
        self.members = 0
        self.laggards = 0
        self.publishers_paused = 0
        # Counters: what has happened. `delivered` is what the kernel took.
        self.received_text = 0
        self.received_binary = 0
        # What came in by another door than a member's.
        self.published_text = 0
        self.published_binary = 0
        self.delivered = 0
        self.dropped: dict[Reason, int] = {}
        # How often a laggard fell too far behind and went on at the newest message.
        self.skips = 0
        # Newcomers that wanted all they had missed, by why they could not have it; None: they could.
        self.resumes: dict[Gap | None, int] = dict.fromkeys((None, *Gap), 0)

    def resume(self, gap: Gap | None) -> None:
        """Count a newcomer that wanted all that it missed, and what was in its way."""
        self.resumes[gap] += 1

    def drop(self, reason: Reason, messages: int) -> None:
        """Count ``messages`` that a member was owed and will not get."""
        if messages:
            self.dropped[reason] = self.dropped.get(reason, 0) + messages
