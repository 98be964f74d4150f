"""Which rooms there are: opened by a first member, or a first message that is kept; forgotten when nobody needs them.

A room without members is there only for what it keeps. When no more rooms may be
opened, the one goes first whose last member left first; and with it all that it
kept, so that from then on nobody may be told that nothing was said in it.
"""

from collections.abc import Callable, Iterable

from roomcast.relay.broker import Broker
from roomcast.relay.budget import Budget
from roomcast.relay.counters import TemplateCounters
from roomcast.relay.history import DUE_AT_ONCE, Histories, Keeper
from roomcast.relay.presence import Announcer
from roomcast.relay.room import Room
from roomcast.relay.rules import RoomRules


class RoomLimitError(Exception):
    """A room could not be opened, or not joined; ``limit`` is the name of the setting that says so."""

    def __init__(self, limit: str) -> None:
        super().__init__(f"limit {limit} is reached")
        self.limit = limit


class Rooms(dict[str, Room]):
    """The rooms of this process by name: a dict, of which each message asks for one.

    Args:
        broker: Told which rooms are open.
        budget: What may be held for laggards.
        histories: What all rooms keep.
        announcer: Tells those rooms who comes and goes whose templates say so.
        rooms_max: How many may be open; 0: no limit.
        clock: Returns seconds since 1970, as messages are stamped with.
    """

    __slots__ = (
        "_announcer",
        "_broker",
        "_budget",
        "_clock",
        "_deserted",
        "_forgotten_s",
        "_histories",
        "aside",
        "evicted",
        "rooms_max",
        "rules_of",
    )

    def __init__(
        self,
        broker: Broker,
        budget: Budget,
        histories: Histories,
        announcer: Announcer,
        rooms_max: int,
        clock: Callable[[], float],
    ) -> None:
        super().__init__()
        self._announcer = announcer
        self._broker = broker
        self._budget = budget
        self._histories = histories
        self.rooms_max = rooms_max
        """How many may be open. May change: those that are open stay."""
        self.rules_of: Callable[[str], RoomRules | None] = lambda _: None
        """The rules that hold for a room since they were changed; None: those that are asked for."""
        self._clock = clock
        # Those without members, the one that was left first at the head.
        self._deserted: dict[Room, None] = {}
        # Of what was said before, a room that is opened may have forgotten some: it
        # was said to another process, or kept by a room that is gone.
        self._forgotten_s = clock()
        self.aside: dict[str, Room] = {}
        """Rooms of the relay's own: in no list and no count, and no limit keeps anybody out."""
        self.evicted = 0
        """How often a room without members had to go because others took its place."""

    def refusal(self, name: str, rules: RoomRules) -> str | None:
        """Return the setting that would keep a member out of this room now, or None."""
        room = self.get(name)
        if room is None:
            is_full = self.rooms_max and len(self) >= self.rooms_max and not self._deserted
            return "rooms_max" if is_full else None
        return "members_max" if rules.members_max and room.member_count >= rules.members_max else None

    def open(self, name: str, rules: RoomRules, counters: TemplateCounters) -> Room:
        """Return a room that is not open yet, open. Somebody joins it, or something is said in it, at once.

        Whoever opens it may have been let in by rules that are changed meanwhile, while
        its token was checked: the room would keep them until it is forgotten.
        """
        rules = self.rules_of(name) or rules
        if self.rooms_max and len(self) >= self.rooms_max and self._deserted:
            self.evicted += 1
            self.forget(next(iter(self._deserted)))
        room = self[name] = Room(
            name,
            rules,
            counters,
            self._budget,
            self._broker.open(name),
            *((self._histories, self._forgotten_s) if rules.history_messages else ()),
        )
        if rules.presence:
            room.presence = self._announcer.presence(room, rules.presence_interval_s)
        return room

    def open_aside(self, name: str, rules: RoomRules, counters: TemplateCounters) -> Room:
        """Return a new room of the relay's own, in the place of the last of that name: nothing of that one is needed.

        Its name is one that no template can match, and it keeps nothing.
        """
        room = self.aside[name] = Room(name, rules, counters, self._budget, self._broker.open(name))
        return room

    def find(self, name: str) -> Room | None:
        """Return an open room, be it one of the relay's own."""
        room = self.get(name)
        return self.aside.get(name) if room is None else room

    def settle(self, room: Room) -> None:
        """Forget a room that has no member and keeps nothing. One that does stays, until its place is needed."""
        if room.member_count or self.get(room.name) is not room:
            return
        if room.keeps_something:
            # Anew, if it was there: something may have been said in it, by a backend.
            self._deserted.pop(room, None)
            self._deserted[room] = None
        else:
            self.forget(room)

    def enter(self, room: Room) -> None:
        """Note that somebody joins a room."""
        self._deserted.pop(room, None)

    def forget(self, room: Room) -> None:
        """Forget a room that has no member, and all that it keeps."""
        self._deserted.pop(room, None)
        del self[room.name]
        if room.histories is not None:
            if room.keeps_something:
                room.log.forgotten_s = room.log.newest_s
            self._histories.charge(room, 0)
            # It may be in the middle of a pass, for nobody: what it keeps from now on is nothing.
            room.histories = None
            self._forgotten_s = max(self._forgotten_s, room.log.forgotten_s)
        self._broker.close(room.name)
        if room.presence is not None:
            self._announcer.last_words(room.presence)

    def reconsider(self, room: Room) -> None:
        """Have a room forget what it keeps no more by its rules, which have changed; a quiet one would go on as it was.

        It may be gone by now.
        """
        room.obey(self._clock())
        if room.histories is not None:
            room.histories.reconsider(room)
            if not room.keeps_something:
                self.settle(room)

    def look(self) -> bool:
        """Forget what has grown too old, and what is too much, in some rooms. About once a second.

        Returns:
            Whether there may be more of them.
        """
        aged = self._histories.due(self._clock())
        self._settle_those(aged)
        relieved = self._histories.relieve()
        self._settle_those(relieved)
        return max(len(aged), len(relieved)) >= DUE_AT_ONCE

    def relieve(self) -> None:
        """Forget what those rooms keep that have been silent for longest, if all keep too much."""
        self._settle_those(self._histories.relieve())

    def _settle_those(self, keepers: Iterable[Keeper]) -> None:
        for keeper in keepers:
            self.settle(self[keeper.name])
