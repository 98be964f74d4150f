"""When each room flushes.

Deciding that here, and not in the room, leaves one place to reason about latency:

* A quiet room's message leaves at the end of the turn in which it came.
* A room whose pass took more than ``PACE_ABOVE_S`` rests ``PACE_FACTOR`` times as
  long, and gathers what arrives: more messages to a burst, fewer sends to a message.
* Over all rooms a turn flushes for about ``TURN_S``, round robin; what is left
  goes on in the next turn, so that reading, writing and accepting go on too.
"""

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

from roomcast.relay.busiest import Busiest
from roomcast.relay.counters import Histogram
from roomcast.relay.room import PASS_BYTES, Room
from roomcast.relay.rooms import Rooms
from roomcast.relay.scheduler import Scheduler
from roomcast.relay.shedding import Shedding

# How long one turn may flush before the loop does something else. Short enough
# that a join or a ping waits unnoticed, long enough that asking costs nothing.
TURN_S = 0.002
# How many members are served between two looks at the clock: about half a
# millisecond of sends.
SERVED_PER_LOOK = 64
# What makes a room busy, and how long it then rests, as a multiple of the cost:
# seven times leaves flushing an eighth of the core. Three times, the first choice,
# was too short where the kernel is quick: a pass over 1,000 members took 3 ms, and
# 9 ms of rest gather nothing of a hundred messages a second.
PACE_ABOVE_S = 0.001
PACE_FACTOR = 7.0

# How early a timer may fire: the loop rounds, and rooms whose rest ends within
# the same millisecond may as well go together.
TIMER_SLACK_S = 0.001

FLUSH_BOUNDS_S = (0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)


class Flushing:
    """Gives the rooms their turns.

    Args:
        rooms: All there are.
        shedding: Lets some go when too much is held for them.
        scheduler: Gives it its own turns.
        clock: Returns seconds from a clock that never goes back.
        report: Called with a room and the exception that ended it, a fault of ours.
        busiest: Told how much each room says, once a pass; None where nobody wants to know.
    """

    def __init__(
        self,
        rooms: Rooms,
        shedding: Shedding,
        *,
        scheduler: Scheduler,
        clock: Callable[[], float],
        report: Callable[[Room, Exception], None],
        busiest: Busiest | None = None,
    ) -> None:
        self.durations = Histogram(FLUSH_BOUNDS_S)
        self._rooms = rooms
        self._budget = shedding.budget
        self._shedding = shedding
        self._scheduler = scheduler
        self._clock = clock
        self._report = report
        self._busiest = busiest
        # Rooms that may flush now, in the order of their turns.
        self._due: deque[Room] = deque()
        # Rooms that rest, by the end of their rest. The number breaks ties.
        self._resting: list[tuple[float, int, Room]] = []
        self._tie = count()
        self._is_turn_asked_for = False
        # When the timers that were asked for will fire, the earliest last. One is
        # asked for only where it is earlier than all others, so this is a stack.
        self._alarms_s: list[float] = []
        # Flushing time since `_due` was last empty: fifty rooms of 0.9 ms are
        # one busy relay, though none of them is a busy room.
        self._flush_s = 0.0

    def ask_for(self, room: Room) -> None:
        """Let a room flush that has something new, when it may."""
        if not room.not_before_s:
            # As `_line_up` would, without the call: this is asked with nearly every message.
            self._due.append(room)
        elif not self._line_up(room):
            return
        if not self._is_turn_asked_for:
            self._is_turn_asked_for = True
            self._scheduler.soon(self.turn)

    def shed_if_full(self) -> None:
        """Ask for a turn to let some go, if too much is held."""
        if self._budget.is_full:
            self._go_on_after(0.0)

    def turn(self) -> None:
        """Flush rooms that are due, for about ``TURN_S``; ask for another turn if there is more to do."""
        self._is_turn_asked_for = False
        self._flush_due()

    def _wake(self) -> None:
        """Take a turn because a timer has fired: about the one that was to fire first, and maybe too early."""
        self._alarms_s.pop()
        self._flush_due()

    def _flush_due(self) -> None:
        started = now = self._clock()
        while self._resting and self._resting[0][0] <= now + TIMER_SLACK_S:
            self._due.append(heappop(self._resting)[2])
        budget = self._budget
        while now - started < TURN_S:
            if budget.unlooked_bytes < 0:
                budget.look()
            if budget.is_full and (wait_s := self._shedding.relieve()) is not None:
                self._go_on_after(wait_s)
                return
            if not self._due:
                break
            now = self._flush(self._due.popleft(), now)
        if self._due:
            self._go_on_after(0.0)
        else:
            self._flush_s = 0.0
            self._ask_to_be_woken(now)

    def _go_on_after(self, wait_s: float) -> None:
        if not self._is_turn_asked_for:
            # Not `soon`: in a chain of those the loop would read nothing.
            self._is_turn_asked_for = True
            self._scheduler.later(wait_s, self.turn)

    def _flush(self, room: Room, started: float) -> float:
        """Let one room go on with its pass; return the time at which it stopped."""
        at = room.at
        try:
            room.flush(SERVED_PER_LOOK)
        except Exception as error:
            # This room is lost; the others must not be.
            self._abandon(room, error)
        now = self._clock()
        room.flush_s += now - started
        self._flush_s += now - started
        # Of a room that stands aside nobody is told, nor how much is said in it.
        if self._busiest is not None and room.at > at and self._rooms.get(room.name) is room:
            self._busiest.add(room.name, room.at - at, now)
        if room.is_flushing:
            self._due.append(room)
            return now
        self._pace(room, now)
        if room.histories is not None:
            self._rooms.relieve()
        if not room.member_count:
            self._rooms.settle(room)
        if room.at < room.log.head and self._rooms.find(room.name) is room:
            self._line_up(room)
        return now

    def _abandon(self, room: Room, error: Exception) -> None:
        """End a room after a fault of ours. Whatever its members do now, all of them are told."""
        self._report(room, error)
        for member in room.abandon():
            try:
                member.fail()
            except Exception as another:
                self._report(room, another)

    def _pace(self, room: Room, now: float) -> None:
        """A pass is over: decide when the room's next may begin."""
        self.durations.observe(room.flush_s)
        room.flush_s = 0.0
        room.not_before_s = 0.0
        # By what the hub has spent, which includes the room's own pass: that stood in
        # `_due` to its end. A whole burst that waits already gains nothing by waiting longer.
        if self._flush_s > PACE_ABOVE_S and room.pending_bytes < PASS_BYTES:
            room.not_before_s = now + min(PACE_FACTOR * self._flush_s, room.rules.gather_max_s)
        elif self._budget.is_tight:
            # Whoever falls short now is closed: leave all of them the time to read.
            room.not_before_s = now + room.rules.gather_max_s

    def _line_up(self, room: Room) -> bool:
        """Put a room with something to flush in its place. Returns whether it is due now, and does not rest."""
        if room.not_before_s:
            now = self._clock()
            if now < room.not_before_s:
                heappush(self._resting, (room.not_before_s, next(self._tie), room))
                self._ask_to_be_woken(now)
                return False
        self._due.append(room)
        return True

    def _ask_to_be_woken(self, now: float) -> None:
        """Ask for a timer for the first room whose rest ends, unless one will fire before."""
        if not self._resting:
            return
        ends_s = self._resting[0][0]
        if not self._alarms_s or ends_s < self._alarms_s[-1]:
            self._alarms_s.append(ends_s)
            self._scheduler.later(max(ends_s - now, 0.0), self._wake)
