"""Who comes and who goes, gathered, and told to those who can be told.

Only rooms do so whose template says it. To tell each of a thousand who open a page at
once of each other would be a million sends; so a room tells at most once in
``presence_interval_s``, of all who came and went since. Who did both meanwhile is not
spoken of. Observers are told at once when the last has gone: the room is forgotten, and
its interval with it. What is told is no message: it has no offset, and is not kept.

To tell ten thousand takes a while. It is done in slices (``slices.py``), and whoever
leaves meanwhile need not be told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from math import inf
from typing import NamedTuple, Protocol

from roomcast.relay.author import Author, Person
from roomcast.relay.member import Member
from roomcast.relay.message import WireFormat
from roomcast.relay.scheduler import Scheduler
from roomcast.relay.slices import Slices, Step


class News(NamedTuple):
    """Who has come to a room, and who has gone, since the last time."""

    room: str
    come: Sequence[Person]
    gone: Sequence[Person]
    members: int
    """How many are there now."""


Observer = Callable[[News], None]
"""Told of all news of all rooms. Must not raise, block or switch greenlets."""


class Place(Protocol):
    """A room, as somewhere people come to."""

    name: str
    member_count: int

    def audience(self) -> Iterator[tuple[WireFormat, Iterable[Member]]]:
        """Yield all who are there, by the format of their frames."""


class Presence:
    """The news of one room.

    Args:
        place: The room; None once it is forgotten.
        ask: Called when there is something to tell, and not again before ``told``.
    """

    __slots__ = ("_ask", "_come", "_gone", "_is_asked_for", "place", "told_s")

    def __init__(self, place: Place, ask: Callable[[], None]) -> None:
        self.place: Place | None = place
        self._ask = ask
        self._come: dict[Person, None] = {}
        self._gone: dict[Person, None] = {}
        self._is_asked_for = False
        # When the room was told last.
        self.told_s = -inf

    def joined(self, member: Person) -> None:
        """Note that somebody has come."""
        self._come[member] = None
        self._ask_once()

    def left(self, member: Person) -> None:
        """Note that somebody has gone."""
        if member in self._come:
            del self._come[member]
        else:
            # By name alone: the interval may be long, and an ended connection is heavy.
            self._gone[Author(member)] = None
            self._ask_once()

    def _ask_once(self) -> None:
        # Whether anything is left to tell when the time has come is another matter.
        if not self._is_asked_for:
            self._is_asked_for = True
            self._ask()

    def take(self) -> tuple[list[Person], list[Person]]:
        """Return who has come and who has gone, and begin anew. Nothing is asked for before ``told``."""
        news = list(self._come), list(self._gone)
        self._come.clear()
        self._gone.clear()
        return news

    def told(self) -> None:
        """All have been told what was taken: ask again, if there is something new."""
        self._is_asked_for = False
        if self._come or self._gone:
            self._ask_once()


class Announcer:
    """Tells the rooms their news.

    Args:
        scheduler: Gives it its turns.
        slices: In which ten thousand are told.
        clock: Returns seconds from a clock that never goes back.
    """

    __slots__ = ("_clock", "_scheduler", "_slices", "observers")

    def __init__(self, scheduler: Scheduler, slices: Slices, clock: Callable[[], float]) -> None:
        self._scheduler = scheduler
        self._slices = slices
        self._clock = clock
        self.observers: dict[Observer, None] = {}

    def presence(self, place: Place, interval_s: float) -> Presence:
        """Return what gathers the news of a room, to be told no more often than that."""

        def ask() -> None:
            wait_s = max(presence.told_s + interval_s - self._clock(), 0.0)
            self._scheduler.later(wait_s, partial(self._announce, presence))

        presence = Presence(place, ask)
        return presence

    def last_words(self, presence: Presence) -> None:
        """Tell what there is to tell of a room that everybody has left, before another is opened by its name."""
        try:
            self._announce(presence)
        finally:
            # Its timer may run for a minute yet, and must not hold the room so long.
            presence.place = None

    def _announce(self, presence: Presence) -> None:
        if (place := presence.place) is None:
            return
        come, gone = presence.take()
        try:
            steps: list[Step] = []
            if come or gone:
                presence.told_s = self._clock()
                steps = self._steps(place, come, gone)
        except Exception:
            # A fault of ours: it must not be the last that this room is told.
            presence.told()
            raise
        # The last step: what comes meanwhile is gathered. With ten thousand members news could
        # else come faster than they are told, and would wait in ever longer lines.
        self._slices.add([*steps, presence.told])

    def _steps(self, place: Place, come: list[Person], gone: list[Person]) -> list[Step]:
        """Tell the observers; return what tells the members."""
        for observer in list(self.observers):
            observer(News(place.name, come, gone, place.member_count))
        steps: list[Step] = []
        encoded: dict[WireFormat, Sequence[bytes]] = {}
        for wire_format, members in place.audience():
            if wire_format not in encoded:
                encoded[wire_format] = wire_format.announce(come, gone, place.member_count)
            if frames := encoded[wire_format]:
                steps += [partial(member.announce, frames) for member in members]
        return steps
