"""Who of a relay that stops is dismissed when, and when each may come back: a plan, made once, when the drain begins.

Everybody has a place, in the order in which they are dismissed. What the plan promises is
a rate: places return as a stream of at most ``accept_per_s``, behind the moment when a
successor can be there, so that members / accept_per_s seconds later all are back. Each has
its time within its own place, drawn by lot: in any second there are at most one more.

A member that cannot be told (hixie-76 has no words for it, and a raw client may not read
them) comes back when it likes. Its place stays empty, and it is dismissed no faster than
a node can accept either, as long as ``drain_s`` is long enough for that.

Whoever is refused meanwhile lines up behind the members.
"""

from dataclasses import dataclass
from math import ceil

# The part of the drain in which members are dismissed. The rest is for the
# slow among them: what they are owed, and their half of the closing handshake.
_DISMISSAL = 0.75
ENDING_S = 1.5
"""What a process may take beyond ``drain_s``, for a last scrape and its log. Then its port is free."""
# How many of those who are refused line up, in seconds of the stream. Whoever asks again and
# again takes a place each time, and must not send others away for hours: the next begin anew.
_LINE_S = 60


@dataclass(frozen=True, slots=True)
class Schedule:
    """The plan of one drain. All times are in seconds since it began."""

    members: int
    """How many there were when it began."""
    drain_s: float
    """How long it may take."""
    accept_per_s: float
    """How many a second a node can accept; more than 0."""

    @property
    def dismissal_s(self) -> float:
        """When the last is dismissed: where there is time, no more a second go than can come back."""
        return min(self.drain_s * _DISMISSAL, self.members / self.accept_per_s)

    @property
    def return_s(self) -> float:
        """When the first may come back: the port is free by then."""
        return self.drain_s + ENDING_S

    @property
    def back_s(self) -> float:
        """When all are back who come when they are told."""
        return self.return_s + self.members / self.accept_per_s

    def due(self, elapsed_s: float) -> int:
        """Return how many are to be dismissed by now, in all. The first are at once."""
        if elapsed_s >= self.dismissal_s:
            return self.members
        return int(self.members * elapsed_s / self.dismissal_s) + 1

    def comeback_s(self, place: int, drawn: float) -> float:
        """Return when to come back.

        Args:
            place: In the order of dismissal, from 0; behind the members, of those who were refused.
            drawn: From 0 up to 1, by lot.
        """
        return self.return_s + (place + drawn) / self.accept_per_s

    def retry_after_s(self, refused: int, elapsed_s: float) -> int:
        """Return after how many whole seconds one may come back who was refused now; at least one.

        Args:
            refused: How many were refused before it.
            elapsed_s: Since the drain began.
        """
        place = self.members + refused % ceil(_LINE_S * self.accept_per_s)
        return max(ceil(self.comeback_s(place, 0.0) - elapsed_s), 1)
