"""Who is let go when more is held for laggards than may be.

Those on their way out go first: they are lost already, and all that they may
still get is a close frame. Then the laggards of all rooms, the one that is
furthest behind in its room's log first. They are ranked once for a whole
episode, and cut a few in each turn: to look for the worst anew after each of
five thousand would be twenty-five million looks.

Where that is not enough, memory is held by members that have stalled without
being behind: all they were sent has gone to the kernel, and stays there. Who is
that, and who has only a long way? All rooms rest for ``REST_S``, and whoever's
kernel still holds most of it afterwards is cut, the largest first. If even that
frees too little, the memory is not ours to free, and the rooms go on, unless
they would spend the last of it.
"""

from collections.abc import Callable, Container, Mapping

from roomcast.relay.budget import Budget
from roomcast.relay.member import Member
from roomcast.relay.reasons import Reason
from roomcast.relay.room import Room

# How many are cut in one turn: about 2 ms.
CUTS_PER_TURN = 32
# How long members are given to show that what they were sent goes out: a round
# trip to anywhere. Nothing is written to anybody meanwhile.
REST_S = 0.25
# What is nobody's stall: some small messages on their way.
STALLED_BYTES = 8192
# How much of it is gone after the rest where a peer takes something. Nearly all,
# where the road is good; a peer that takes nothing still lets in a byte now and then.
MOVED_SHARE = 0.25
# For how long the rooms go on after all this was in vain.
VAIN_S = 1.0


_Victim = tuple[Member, Container[Member]]
"""Whom to cut, and the group that it was chosen from, if it is still in there."""


class Shedding:
    """Brings down what is held when it is too much.

    Args:
        budget: Says when it is.
        rooms: All there are, by name.
        clock: Returns seconds from a clock that never goes back.
    """

    __slots__ = ("_clock", "_rests_until_s", "_rooms", "_suspects", "_vain_until_s", "_victims", "budget")

    def __init__(self, budget: Budget, rooms: Mapping[str, Room], clock: Callable[[], float]) -> None:
        self.budget = budget
        self._rooms = rooms
        self._clock = clock
        # Those to cut in this episode, the first one last; None between episodes.
        self._victims: list[_Victim] | None = None
        # What the kernel held for each when the rest began; None before it.
        self._suspects: dict[Member, int] | None = None
        self._rests_until_s = 0.0
        self._vain_until_s = 0.0

    def relieve(self) -> float | None:
        """Cut a few, if too much is held.

        Returns:
            After how many seconds to ask again; None when rooms may be flushed.
        """
        now = self._clock()
        self.budget.look()
        if now < self._vain_until_s and not self.budget.is_spent:
            return None
        if self.budget.is_full:
            if now < self._rests_until_s:
                return self._rests_until_s - now
            if self._victims is None:
                self._victims = self._rank() if self._suspects is None else self._stalled(self._suspects)
            self._cut(self._victims)
        if not self.budget.is_full:
            self._end()
            return None
        return 0.0 if self._victims else self._next_resort(now)

    def _next_resort(self, now: float) -> float | None:
        """All that were chosen are gone, and it is still too much."""
        if self._suspects is None and (suspects := self._survey()):
            self._suspects = suspects
            self._victims = None
            self._rests_until_s = now + REST_S
            return REST_S
        self._end()
        self._vain_until_s = now + VAIN_S
        return REST_S if self.budget.is_spent else None

    def _end(self) -> None:
        self._victims = self._suspects = None
        self._rests_until_s = 0.0

    def _rank(self) -> list[_Victim]:
        """Return all laggards, and those on their way out; the one to be cut first stands last."""
        behind = [
            (size_bytes, member, room.laggards)
            for room in self._rooms.values()
            if room.laggards
            for size_bytes, member in room.laggards.by_lag()
        ]
        behind.sort(key=lambda entry: entry[0])
        waiting = self.budget.waiting
        ranked: list[_Victim] = [(member, laggards) for _, member, laggards in behind]
        ranked += [(member, waiting) for member in waiting if not member.is_in_room]
        return ranked

    def _survey(self) -> dict[Member, int]:
        held = {member: member.kernel_bytes() for room in self._rooms.values() for member in room.members()}
        return {member: held_bytes for member, held_bytes in held.items() if held_bytes >= STALLED_BYTES}

    def _stalled(self, suspects: dict[Member, int]) -> list[_Victim]:
        """Return those who have hardly moved during the rest; the one that holds most stands last."""
        now_held = [(member.kernel_bytes(), member, held_bytes) for member, held_bytes in suspects.items()]
        now_held.sort(key=lambda entry: entry[0])
        return [(member, suspects) for now, member, before in now_held if now > before * (1 - MOVED_SHARE)]

    def _cut(self, victims: list[_Victim]) -> None:
        cuts = 0
        while victims and cuts < CUTS_PER_TURN and self.budget.is_full:
            member, group = victims.pop()
            # It may have taken all it was owed meanwhile, or have gone.
            if member in group:
                member.cut(Reason.OVERLOADED)
                self.budget.look()
                cuts += 1
