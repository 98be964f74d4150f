"""Publishers that are not read while their room owes too much.

Without this, a hundred of them fill a room faster than a thousand members can
be written to, and the unflushed log takes all memory. A publisher that is not
read is slowed down by TCP, and nothing of what it sends is lost.
"""

from roomcast.relay.counters import TemplateCounters
from roomcast.relay.member import Publisher


class PausedPublishers:
    """Those of one room, and the gauge that counts them.

    Args:
        counters: Of the room's template.
    """

    __slots__ = ("_counters", "_members")

    def __init__(self, counters: TemplateCounters) -> None:
        self._counters = counters
        self._members: dict[Publisher, None] = {}

    def __bool__(self) -> bool:
        return bool(self._members)

    def pause(self, member: Publisher) -> None:
        """Read no more from a member until ``resume_all``."""
        if member not in self._members:
            self._members[member] = None
            self._counters.publishers_paused += 1
            member.pause()

    def forget(self, member: Publisher) -> None:
        """Do not resume this one: it leaves, or says goodbye."""
        if member in self._members:
            del self._members[member]
            self._counters.publishers_paused -= 1

    def resume_all(self) -> None:
        """Read from all of them again."""
        for member in list(self._members):
            self.forget(member)
            member.resume()
