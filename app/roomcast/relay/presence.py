"""Who comes and who goes, gathered, and told to those who can be told.

Only rooms do so whose template says it. To tell each of a thousand who open a page at
once of each other would be a million sends; so a room tells at most once in
``presence_interval_s``, of all who came and went since. Who did both meanwhile is not
spoken of. What is told is no message: it has no offset, and is not kept.

To tell ten thousand takes a while. It is done in slices, as flushing is, and whoever
leaves meanwhile need not be told.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from math import inf
from typing import NamedTuple, Protocol

from roomcast.relay.author import Author
from roomcast.relay.member import Member
from roomcast.relay.message import WireFormat
from roomcast.relay.scheduler import Scheduler

# How long one slice may take, and how many are told between two looks at the clock.
SLICE_S = 0.001
TOLD_PER_LOOK = 32


class News(NamedTuple):
    """Who has come to a room, and who has gone, since the last time."""

    room: str
    come: Sequence[Author]
    gone: Sequence[Author]
    members: int
    """How many are there now."""


Observer = Callable[[News], None]
"""Told of all news of all rooms. Must not raise, block or switch greenlets."""


class Place(Protocol):
    """A room, as somewhere people come to."""

    name: str
    member_count: int

    def audience(self) -> Iterator[tuple[WireFormat, list[Member]]]:
        """Yield all who are there, by the format of their frames."""


class Presence:
    """The news of one room.

    Args:
        ask: Called when there is something to tell, and nothing was before.
    """

    __slots__ = ("_ask", "come", "gone", "told_s")

    def __init__(self, ask: Callable[[], None]) -> None:
        self._ask = ask
        self.come: dict[Author, None] = {}
        self.gone: dict[Author, None] = {}
        # When the room was told last.
        self.told_s = -inf

    def joined(self, member: Author) -> None:
        """Note that somebody has come."""
        is_first = not (self.come or self.gone)
        self.come[member] = None
        if is_first:
            self._ask()

    def left(self, member: Author) -> None:
        """Note that somebody has gone."""
        if member in self.come:
            del self.come[member]
            return
        is_first = not (self.come or self.gone)
        self.gone[member] = None
        if is_first:
            self._ask()

    def take(self) -> tuple[list[Author], list[Author]]:
        """Return who has come and who has gone, and begin anew."""
        news = list(self.come), list(self.gone)
        self.come.clear()
        self.gone.clear()
        return news


class Announcer:
    """Tells the rooms their news.

    Args:
        scheduler: Gives it its turns.
        clock: Returns seconds from a clock that never goes back.
    """

    __slots__ = ("_clock", "_scheduler", "_untold", "observers")

    def __init__(self, scheduler: Scheduler, clock: Callable[[], float]) -> None:
        self._scheduler = scheduler
        self._clock = clock
        self._untold: deque[tuple[Sequence[bytes], Iterator[Member]]] = deque()
        self.observers: dict[Observer, None] = {}

    def presence(self, place: Place, interval_s: float) -> Presence:
        """Return what gathers the news of a room, to be told no more often than that."""

        def ask() -> None:
            wait_s = max(presence.told_s + interval_s - self._clock(), 0.0)
            self._scheduler.later(wait_s, partial(self._announce, place, presence))

        presence = Presence(ask)
        return presence

    def _announce(self, place: Place, presence: Presence) -> None:
        come, gone = presence.take()
        if not (come or gone):
            return
        presence.told_s = self._clock()
        news = News(place.name, come, gone, place.member_count)
        for observer in list(self.observers):
            observer(news)
        is_idle = not self._untold
        for wire_format, members in place.audience():
            if frames := wire_format.announce(come, gone, place.member_count):
                self._untold.append((frames, iter(members)))
        if is_idle:
            self._tell()

    def _tell(self) -> None:
        """Tell some, and go on in another turn."""
        started_s = self._clock()
        try:
            while self._untold and self._clock() - started_s < SLICE_S:
                frames, members = self._untold[0]
                some = list(islice(members, TOLD_PER_LOOK))
                if not some:
                    self._untold.popleft()
                for member in some:
                    member.announce(frames)
        finally:
            # Also after a fault of ours: the others wait for their news.
            if self._untold:
                self._scheduler.later(0.0, self._tell)
