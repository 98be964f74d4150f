"""All rooms, and the decision when each of them flushes.

A message goes one road, whoever sent it: ``publish`` → broker → ``deliver`` →
``Room.append``; at the end of the event-loop turn, or when the room's pace
allows, ``turn`` lets the room flush. Deciding that here, and not in the room,
leaves one place to reason about latency:

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
from typing import NamedTuple, Protocol

from roomcast.relay.broker import Broker, Deliver
from roomcast.relay.budget import Budget
from roomcast.relay.counters import Histogram, TemplateCounters
from roomcast.relay.history import Histories
from roomcast.relay.member import Member, Publisher
from roomcast.relay.message import Kind, Message
from roomcast.relay.reasons import Reason
from roomcast.relay.room import PASS_BYTES, Room
from roomcast.relay.rooms import RoomLimitError, Rooms
from roomcast.relay.rules import RoomRules
from roomcast.relay.shedding import Shedding
from roomcast.relay.start import NO_WISH, Start, Wish

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

_TEXT = Kind.TEXT

# How early a timer may fire: the loop rounds, and rooms whose rest ends within
# the same millisecond may as well go together.
TIMER_SLACK_S = 0.001

MESSAGE_SIZE_BOUNDS = (64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 16_777_216)
FLUSH_BOUNDS_S = (0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)


class Scheduler(Protocol):
    """How the hub asks the event loop for a turn."""

    def soon(self, turn: Callable[[], None]) -> None:
        """Call ``turn`` once, when the events of this turn are done."""

    def later(self, delay_s: float, turn: Callable[[], None]) -> None:
        """Call ``turn`` once, after ``delay_s``, and after other events had their chance."""


class Published(NamedTuple):
    """What became of a message that came in by another door than a member's."""

    offset: int
    members: int
    """How many are in the room here."""


class Joined(NamedTuple):
    """Where a newcomer is."""

    room: Room
    start: Start


class Hub:
    """The rooms of this process.

    Args:
        broker: Makes the broker, given where it delivers.
        scheduler: Gives the hub its turns.
        clock: Returns seconds from a clock that never goes back.
        wall_clock: Returns seconds since 1970, as the broker stamps messages.
        rooms_max: How many rooms may be open; 0: no limit.
        budget: What may be held for laggards.
        histories: What rooms may keep for those who come later.
        report: Called with a room and the exception that ended it, a fault of ours.
    """

    def __init__(
        self,
        *,
        broker: Callable[[Deliver], Broker],
        scheduler: Scheduler,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
        rooms_max: int,
        budget: Budget,
        histories: Histories,
        report: Callable[[Room, Exception], None],
    ) -> None:
        self.templates: dict[str, TemplateCounters] = {}
        self.message_sizes = Histogram(MESSAGE_SIZE_BOUNDS)
        self.flush_durations = Histogram(FLUSH_BOUNDS_S)
        self.budget = budget
        self.histories = histories
        self._broker = broker(self.deliver)
        self.rooms = Rooms(self._broker, budget, histories, rooms_max, wall_clock)
        self._shedding = Shedding(budget, self.rooms, clock)
        self._scheduler = scheduler
        self._clock = clock
        self._wall_clock = wall_clock
        self._report = report
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

    def add_template(self, name: str) -> TemplateCounters:
        """Make the counters that all rooms of one template share."""
        return self.templates.setdefault(name, TemplateCounters(name))

    # --- members

    def refusal(self, name: str, rules: RoomRules, wish: Wish = NO_WISH) -> str | None:
        """Return the setting that would keep a member out of this room now, or None."""
        if wish.asks_for_past and self.budget.is_tight:
            # It would begin as a laggard, for whom there is no memory.
            return "lag_total_max_bytes"
        return self.rooms.refusal(name, rules)

    def join(
        self,
        name: str,
        rules: RoomRules,
        counters: TemplateCounters,
        member: Member,
        wish: Wish = NO_WISH,
        *,
        is_listening: bool = True,
        may_exceed: Callable[[str], bool] = lambda _: False,
    ) -> Joined:
        """Let a member into a room, which is opened for its first.

        Args:
            name: The room's.
            rules: Its template's.
            counters: Likewise.
            member: The newcomer.
            wish: From where on it wants to hear. Where that is not to be had and it may miss
                nothing, it hears nothing at all: the caller has to send it away.
            is_listening: Whether it hears anything.
            may_exceed: Asked whether a limit that it exceeds is only reported.

        Raises:
            RoomLimitError: As ``refusal`` would have said.
        """
        if (limit := self.refusal(name, rules, wish)) is not None and not may_exceed(limit):
            raise RoomLimitError(limit)
        room = self.rooms.get(name) or self.rooms.open(name, rules, counters)
        self.rooms.enter(room)
        start = room.find_start(wish, self.epoch, self._wall_clock()) if wish.asks_for_past else Start(room.at)
        if wish.is_to_resume:
            counters.resume(start.gap)
        room.join(member, start.cursor, is_listening=is_listening and (start.gap is None or wish.may_miss))
        return Joined(room, start)

    def part(self, room: Room, member: Member, reason: Reason) -> None:
        """Say goodbye to a member, behind all that it is owed."""
        room.part(member, reason)
        self.rooms.settle(room)

    def leave(self, room: Room, member: Member, reason: Reason) -> None:
        """Take a member out at once: its connection is gone."""
        room.leave(member, reason)
        self.rooms.settle(room)

    def feed(self, room: Room, member: Member) -> None:
        """Go on with a laggard that can be written to."""
        room.feed(member)
        self.rooms.settle(room)
        self._shed_if_full()

    def sweep(self, room: Room, member: Member) -> None:
        """Notice a laggard that overflowed and never wakes."""
        room.sweep(member)
        self.rooms.settle(room)

    def look(self) -> None:
        """See how much memory is left, and what has grown too old. About once a second, though nothing may be said."""
        self.rooms.look()
        self.budget.look()
        self._shed_if_full()

    # --- messages

    @property
    def epoch(self) -> str:
        """Under which all offsets count, see ``broker.Broker.epoch``."""
        return self._broker.epoch

    def publish(self, room: Room, kind: Kind, payload: bytes, sender: Publisher) -> int:
        """Publish what a member of ``room`` sent; return its offset.

        If the room owes too much, the member is read no further.
        """
        counters = room.counters
        if kind is _TEXT:
            counters.received_text += 1
        else:
            counters.received_binary += 1
        self.message_sizes.observe(len(payload))
        offset = self._broker.publish(room.name, kind, payload, sender)
        if room.pending_bytes > room.rules.pending_max_bytes or self.budget.is_full:
            room.hold_back(sender)
        return offset

    def is_busy(self, name: str) -> bool:
        """Whether a room owes too much, so that nothing should be said in it from outside."""
        room = self.rooms.get(name)
        return self.budget.is_full or (room is not None and room.is_over_pending)

    def publish_to(
        self, name: str, rules: RoomRules, counters: TemplateCounters, kind: Kind, payload: bytes
    ) -> Published:
        """Publish what came in by another door than a member's. The caller has asked whether the room is busy.

        A room that nobody is in, and that keeps nothing, is not opened for it:
        there it is said to nobody.

        Raises:
            RoomLimitError: If the room would have to be opened, and no more may be.
        """
        room = self.rooms.get(name)
        if room is None and rules.history_messages:
            if (limit := self.rooms.refusal(name, rules)) is not None:
                raise RoomLimitError(limit)
            room = self.rooms.open(name, rules, counters)
        if kind is _TEXT:
            counters.published_text += 1
        else:
            counters.published_binary += 1
        self.message_sizes.observe(len(payload))
        offset = self._broker.publish(name, kind, payload, None)
        if room is None:
            return Published(offset, 0)
        self.rooms.settle(room)
        return Published(offset, room.member_count)

    def close_room(self, name: str) -> int | None:
        """Send all away who are in a room, and forget what it keeps.

        Returns:
            How many there were; None where there is no such room.
        """
        room = self.rooms.get(name)
        if room is None:
            return None
        members = room.members()
        for member in members:
            member.dismiss(Reason.ROOM_CLOSED)
        room.forget_history()
        self.rooms.settle(room)
        return len(members)

    def deliver(self, message: Message) -> None:
        """Take a message from the broker into its room's log."""
        room = self.rooms.get(message.room)
        if room is None or not room.append(message):
            return
        if self._line_up(room) and not self._is_turn_asked_for:
            self._is_turn_asked_for = True
            self._scheduler.soon(self.turn)

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
        budget = self.budget
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

    def _shed_if_full(self) -> None:
        if self.budget.is_full:
            self._go_on_after(0.0)

    def _flush(self, room: Room, started: float) -> float:
        """Let one room go on with its pass; return the time at which it stopped."""
        try:
            room.flush(SERVED_PER_LOOK)
        except Exception as error:
            # This room is lost; the others must not be.
            self._abandon(room, error)
        now = self._clock()
        room.flush_s += now - started
        self._flush_s += now - started
        if room.is_flushing:
            self._due.append(room)
            return now
        self._pace(room, now)
        if room.histories is not None:
            self.rooms.relieve()
        if not room.member_count:
            self.rooms.settle(room)
        if room.at < room.log.head and self.rooms.get(room.name) is room:
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
        self.flush_durations.observe(room.flush_s)
        room.flush_s = 0.0
        room.not_before_s = 0.0
        # By what the hub has spent, which includes the room's own pass: that stood in
        # `_due` to its end. A whole burst that waits already gains nothing by waiting longer.
        if self._flush_s > PACE_ABOVE_S and room.pending_bytes < PASS_BYTES:
            room.not_before_s = now + min(PACE_FACTOR * self._flush_s, room.rules.gather_max_s)
        elif self.budget.is_tight:
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
