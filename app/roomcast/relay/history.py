"""What rooms keep for those who come later, over the whole process, and what is forgotten first.

A room's history is the end of its log, as much of it as its template says: so many
messages, so many bytes, for so long. The room trims it after each pass. Beside that
there are two things which no room can know by itself:

* How much all of them keep. Above ``limit_bytes`` the rooms forget that have been
  silent for longest, all that they keep.
* That time passes where nobody speaks. The oldest message of each room falls due
  some day; a heap says which is next.
"""

from heapq import heapify, heappop, heappush
from itertools import count, islice
from typing import Protocol

from roomcast.relay.log import Log
from roomcast.relay.rules import RoomRules

# Rooms whose messages have grown too old that are looked after at once: about 1 ms.
DUE_AT_ONCE = 256
# How much later than it might a message is forgotten, so that a room which ages a
# message each millisecond is looked after once for a thousand of them.
SLACK_S = 1.0
# How many rooms may be awaited that keep nothing any more, beside as many as keep something.
_STRAYS_MAX = 64
# What a room costs that is only kept for its history: its objects, and its name.
ROOM_BYTES = 4096


class Keeper(Protocol):
    """A room, as one that keeps something."""

    name: str
    rules: RoomRules
    log: Log

    @property
    def is_flushing(self) -> bool:
        """Whether a pass is running, so that nothing may be forgotten."""

    def age(self, now_s: float) -> None:
        """Forget what has grown too old, though nobody speaks."""

    def forget_history(self) -> None:
        """Forget all that no laggard needs."""


class Histories:
    """What all rooms keep.

    Args:
        limit_bytes: How much that may be, frames and all; 0: no limit.
    """

    __slots__ = ("_awaited", "_due", "_held", "_tie", "forgotten", "held_bytes", "limit_bytes")

    def __init__(self, limit_bytes: int = 0) -> None:
        self.limit_bytes = limit_bytes
        self.held_bytes = 0
        self.forgotten = 0
        """How often a room had to forget all it kept, because together they kept too much."""
        # By room, the one that has been silent for longest first.
        self._held: dict[Keeper, int] = {}
        # When the oldest message of a room falls due, maybe one that it has forgotten since. Of each
        # room the time counts that it is awaited for: any other is what it was before its rules changed.
        self._due: list[tuple[float, int, Keeper]] = []
        self._awaited: dict[Keeper, float] = {}
        self._tie = count()

    def __len__(self) -> int:
        return len(self._held)

    def charge(self, room: Keeper, held_bytes: int) -> None:
        """Note what a room keeps after something was said in it; 0 for nothing."""
        before = self._held.pop(room, 0)
        if held_bytes:
            held_bytes += ROOM_BYTES
            self._held[room] = held_bytes
            if not before:
                self._await(room)
        self.held_bytes += held_bytes - before

    def correct(self, room: Keeper, held_bytes: int) -> None:
        """Note what a room keeps after it has forgotten something, though nothing was said."""
        if not held_bytes:
            self.charge(room, 0)
        elif room in self._held:
            self.held_bytes += held_bytes + ROOM_BYTES - self._held[room]
            self._held[room] = held_bytes + ROOM_BYTES

    def relieve(self) -> list[Keeper]:
        """Let the rooms forget that have been silent for longest, while more is kept than may be; return these.

        They are a few, the others the next time: after a change of the limit they may be thousands.
        """
        rooms: list[Keeper] = []
        flushing = 0
        # Each of them once at most: what was not sent to anybody yet, none can forget.
        for _ in range(min(len(self._held), DUE_AT_ONCE)):
            if not self.limit_bytes or self.held_bytes <= self.limit_bytes:
                break
            # Not a list of them all: where memory is short this is asked after each pass, and takes one.
            room = next(islice(self._held, flushing, None))
            if room.is_flushing:
                flushing += 1
                continue
            self.forgotten += 1
            room.forget_history()
            rooms.append(room)
        return rooms

    def due(self, now_s: float) -> list[Keeper]:
        """Let rooms forget what has grown too old; return these: a few, the others the next time."""
        self._forget_strays()
        rooms: list[Keeper] = []
        while self._due and self._due[0][0] <= now_s and len(rooms) < DUE_AT_ONCE:
            due_s, _, room = heappop(self._due)
            if self._awaited.get(room) != due_s:
                continue
            del self._awaited[room]
            if room in self._held:
                room.age(now_s)
                rooms.append(room)
        for room in rooms:
            if room in self._held:
                # Not sooner, though its oldest message be overdue: a laggard may need that still.
                self._await(room, now_s)
        return rooms

    def reconsider(self, room: Keeper) -> None:
        """Look after a room by the rules that it has now, if that is sooner than by those that it had."""
        if room in self._held and (due_s := self._due_s(room)) < self._awaited[room]:
            self._await_at(room, due_s)

    def _await(self, room: Keeper, now_s: float = 0.0) -> None:
        if room not in self._awaited:
            self._await_at(room, max(self._due_s(room), now_s + SLACK_S))

    def _await_at(self, room: Keeper, due_s: float) -> None:
        self._awaited[room] = due_s
        heappush(self._due, (due_s, next(self._tie), room))

    def _due_s(self, room: Keeper) -> float:
        return room.log.oldest_s + room.rules.history_max_age_s + SLACK_S

    def _forget_strays(self) -> None:
        """Await no room that keeps nothing any more until its time comes: that may be hours."""
        if len(self._due) > 2 * len(self._held) + _STRAYS_MAX:
            awaited = {room: due_s for room, due_s in self._awaited.items() if room in self._held}
            self._due = [entry for entry in self._due if awaited.get(entry[2]) == entry[0]]
            self._awaited = awaited
            heapify(self._due)
