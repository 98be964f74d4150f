"""All rooms, who joins and leaves them, and what is said in them.

A message goes one road, whoever sent it: ``publish`` → broker → ``deliver`` →
``Room.append``; at the end of the event-loop turn, or when the room's pace
allows, ``flushing.py`` lets the room flush.
"""

from collections.abc import Callable
from functools import partial
from itertools import chain
from typing import NamedTuple

from roomcast.relay.broker import Broker, Deliver
from roomcast.relay.budget import Budget
from roomcast.relay.busiest import Busiest
from roomcast.relay.counters import Histogram, TemplateCounters
from roomcast.relay.flushing import Flushing
from roomcast.relay.history import Histories
from roomcast.relay.member import Member, Publisher
from roomcast.relay.message import Kind, Message
from roomcast.relay.presence import Announcer
from roomcast.relay.reasons import Reason
from roomcast.relay.room import Room
from roomcast.relay.rooms import RoomLimitError, Rooms
from roomcast.relay.rules import RoomRules
from roomcast.relay.scheduler import Scheduler
from roomcast.relay.shedding import Shedding
from roomcast.relay.slices import Slices
from roomcast.relay.start import NO_WISH, Start, Wish

_TEXT = Kind.TEXT

MESSAGE_SIZE_BOUNDS = (64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 16_777_216)


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
        report: Called with a fault of ours, and the room that it ended, if it did.
        busiest: Told how much each room says; None where nobody wants to know.
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
        report: Callable[[Room | None, Exception], None],
        busiest: Busiest | None = None,
    ) -> None:
        self.templates: dict[str, TemplateCounters] = {}
        self.message_sizes = Histogram(MESSAGE_SIZE_BOUNDS)
        self.budget = budget
        self.histories = histories
        self.busiest = busiest
        self._broker = broker(self.deliver)
        self._slices = Slices(scheduler, clock, partial(report, None))
        self.announcer = Announcer(scheduler, self._slices, clock)
        self.rooms = Rooms(self._broker, budget, histories, self.announcer, rooms_max, wall_clock)
        self.flushing = Flushing(
            self.rooms,
            Shedding(budget, self.rooms, clock),
            scheduler=scheduler,
            clock=clock,
            report=report,
            busiest=busiest,
        )
        self._scheduler = scheduler
        self._wall_clock = wall_clock
        # Whether there is more in the rooms that has grown too old, and a turn is asked for.
        self._is_looking = False

    def add_template(self, name: str) -> TemplateCounters:
        """Make the counters that all rooms of one template share."""
        return self.templates.setdefault(name, TemplateCounters(name))

    def change_rules(self, rules_of: Callable[[str], RoomRules | None]) -> None:
        """Let the rooms that are open go by other rules, a few at a time; those without any go on by their own.

        Whether one keeps a history, and tells who comes and goes, was decided when it was opened.
        """
        self.rooms.rules_of = rules_of
        self._slices.add([partial(self._change_rules, room, rules_of) for room in list(self.rooms.values())])

    def _change_rules(self, room: Room, rules_of: Callable[[str], RoomRules | None]) -> None:
        if (rules := rules_of(room.name)) is not None:
            room.rules = rules.after(room.rules)
            self.rooms.reconsider(room)

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
        self.flushing.shed_if_full()

    def sweep(self, room: Room, member: Member) -> None:
        """Notice a laggard that overflowed and never wakes."""
        room.sweep(member)
        self.rooms.settle(room)

    def look(self) -> None:
        """See how much memory is left, and what has grown too old. About once a second, though nothing may be said."""
        self._look_after_histories()
        self.budget.look()
        self.flushing.shed_if_full()

    def _look_after_histories(self) -> None:
        # One after another: each second's look would else begin to go on beside the last.
        if not self._is_looking and self.rooms.look():
            self._is_looking = True
            self._scheduler.later(0.0, self._look_on)

    def _look_on(self) -> None:
        self._is_looking = False
        self._look_after_histories()

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
        offset = self._broker.publish(room.name, kind, payload, sender.author)
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
            How many are sent away, in the turns to come; None where there is no such room.
        """
        room = self.rooms.get(name)
        if room is None:
            return None
        members = room.members()
        self._forget(room)
        # And at the end again: they go in slices, and meanwhile the last of them may go on speaking.
        goodbyes = (partial(member.dismiss, Reason.ROOM_CLOSED) for member in members)
        self._slices.add(chain(goodbyes, (partial(self._forget, room),)))
        return len(members)

    def _forget(self, room: Room) -> None:
        room.forget_history()
        self.rooms.settle(room)

    def deliver(self, message: Message) -> None:
        """Take a message from the broker into its room's log."""
        # Not `find`, which is a call more: this is asked with each message.
        room = self.rooms.get(message.room) or self.rooms.aside.get(message.room)
        if room is not None and room.append(message):
            self.flushing.ask_for(room)
