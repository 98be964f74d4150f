"""A room: a log of messages, and members that are cursors into it.

Members that are up to date stand in a *cohort*, one for each wire format, and
have no cursor of their own: ``at`` is the offset of them all. A *pass* moves
``at`` forward: it joins a batch of the log once per format into one burst, and
offers that same object to every member of the cohort. Whoever does not take
all of it becomes a *laggard*: it gets a cursor, leaves the cohort, and is fed
from the log when its socket can be written to, until it has caught up. So one
slow reader costs the others nothing, and ten thousand share the log's bytes.

What always holds (the property test checks it after every step):

1. Every cohort member is at ``at``, but for those in the unserved rest of the
   pass, who are owed exactly its burst. Hence ``at`` moves when a pass begins.
2. A laggard's cursor is at most ``at``.
3. Nothing is trimmed beyond ``at``, or while a pass runs.
4. What a member is sent are whole frames in the order of their offsets, each
   at most once.
5. A close frame comes after all that was published before it.

A *history* is nothing more than a log that is trimmed later (``room_log.py``), and
one who asks for it a laggard from the first (``start.py``).

Nobody called from here may switch greenlets, so all see one order.
"""

from collections.abc import Iterable, Iterator
from math import inf

from roomcast.relay.budget import AT_ONCE_BYTES, SEND_BYTES, Budget
from roomcast.relay.burst import Burst, Service, Stop
from roomcast.relay.cohorts import Cohorts
from roomcast.relay.counters import TemplateCounters
from roomcast.relay.history import Histories
from roomcast.relay.laggards import Lag
from roomcast.relay.log import Log
from roomcast.relay.member import Member, Publisher
from roomcast.relay.message import Message, WireFormat
from roomcast.relay.presence import Presence
from roomcast.relay.publishers import PausedPublishers
from roomcast.relay.reasons import Reason
from roomcast.relay.room_log import RoomLog
from roomcast.relay.rules import RoomRules

# How much of the log one pass, or one feeding of a laggard, writes to a
# member. About what a kernel's send buffer takes in one call; more would only
# make more of them fall short.
PASS_BYTES = 65_536


class Room(RoomLog):
    """All members of one path, and what they say to each other.

    Args:
        name: The path.
        rules: Its template's.
        counters: Its template's, shared with the template's other rooms.
        budget: What may be held for laggards, in all rooms together.
        head: The offset of the newest message published before this room opened.
        histories: What all rooms keep, of which this is one; None where its template keeps nothing.
        forgotten_s: Before which something may have been said in it that nobody kept.
    """

    __slots__ = (
        "_at_once",
        "_cohorts",
        "_parting",
        "_paused",
        "budget",
        "counters",
        "flush_s",
        "member_count",
        "not_before_s",
        "pending_bytes",
        "presence",
    )

    def __init__(
        self,
        name: str,
        rules: RoomRules,
        counters: TemplateCounters,
        budget: Budget,
        head: int = 0,
        histories: Histories | None = None,
        forgotten_s: float = inf,
    ) -> None:
        super().__init__(name, rules, Log(head, forgotten_s), counters, budget, histories)
        self.counters = counters
        self.budget = budget
        self.pending_bytes = 0
        self.member_count = 0
        # The hub's: when this room may flush again, and what its pass has cost so far.
        self.not_before_s = 0.0
        self.flush_s = 0.0
        self._cohorts = Cohorts()
        self._parting: dict[Member, tuple[int, Reason]] = {}
        self._paused = PausedPublishers(counters)
        # Whose news are told; None where its template does not say so.
        self.presence: Presence | None = None
        # How many members the pass that is running may serve at once.
        self._at_once = 1

    # --- messages in

    def append(self, message: Message) -> bool:
        """Add the next message to the log.

        Returns:
            Whether the hub has to be told: it is the first since ``at``, and
            no pass is running whose end the hub will notice anyway.
        """
        self.log.append(message)
        self.pending_bytes += message.size_bytes
        return self._services is None and message.offset == self.at + 1

    @property
    def is_over_pending(self) -> bool:
        """Whether it owes more than it may, so that nobody in it should be read."""
        return self.pending_bytes > self.rules.pending_max_bytes

    def hold_back(self, publisher: Publisher) -> None:
        """Stop reading from a publisher until half of what may be pending is flushed."""
        self._paused.pause(publisher)

    # --- members in and out

    def join(self, member: Member, cursor: int | None = None, *, is_listening: bool = True) -> None:
        """Let a member in.

        Args:
            member: The newcomer.
            cursor: The offset after which it wants to hear, at most ``at``. Without one, the
                first message that it gets is the next one to be flushed.
            is_listening: Whether it gets any.
        """
        if not self.member_count:
            self.counters.rooms += 1
        self.member_count += 1
        self.counters.members += 1
        if self.presence is not None:
            self.presence.joined(member)
        if not is_listening:
            self._cohorts.enter_silent(member)
        elif cursor is None or cursor >= self.at:
            self._cohorts.enter(member)
        else:
            self.laggards.add(member, cursor)
            member.want_write()

    def part(self, member: Member, reason: Reason) -> None:
        """Say goodbye to a member, behind all that it is owed. The caller no longer reads from it."""
        # It will publish no more: it must not be resumed when the others are.
        self._paused.forget(member)
        is_up_to_date = member not in self.laggards and self._services is None and self.at == self.log.head
        if is_up_to_date or self._cohorts.is_silent(member):
            self.leave(member, reason)
            member.finish(reason)
        else:
            self._parting.setdefault(member, (self.log.head, reason))

    def leave(self, member: Member, reason: Reason) -> None:
        """Take a member out at once. What a laggard was still owed is counted as dropped.

        It is counted by offset: messages of its own among them are included,
        because looking at each would cost a thousand dying laggards seconds.
        For a member that was up to date, what is not yet flushed counts as
        published after it had gone.
        """
        lag = self.laggards.remove(member)
        if lag is None:
            self._cohorts.leave(member)
        else:
            self.counters.drop(reason, self.log.head - lag.cursor + (lag.half_written is not None))
        self._parting.pop(member, None)
        self._paused.forget(member)
        self.member_count -= 1
        self.counters.members -= 1
        if self.presence is not None:
            self.presence.left(member)
        if not self.member_count:
            self.counters.rooms -= 1
        self._trim()

    def abandon(self) -> list[Member]:
        """Take every member out, after a fault of the relay's own in this room. The caller ends them."""
        self._services = None
        # What could not be sent must not be kept for the next who come; and who knows how many frames were made of it.
        self.log.recount_frames()
        self.forget_history()
        members = self.members()
        for member in members:
            self.leave(member, Reason.INTERNAL)
        return members

    def members(self) -> list[Member]:
        """Return all who are in it."""
        return list(self.present())

    def present(self) -> Iterator[Member]:
        """Yield all who are in it, while nobody joins or leaves."""
        yield from self.laggards
        yield from self._cohorts.members()

    def audience(self) -> Iterator[tuple[WireFormat, Iterable[Member]]]:
        """Yield all who hear what is said in it, by the format of their frames, while nobody joins or leaves."""
        yield from self._cohorts.items()
        for member in self.laggards:
            yield member.wire_format, (member,)

    # --- messages out: the cohorts

    def flush(self, budget: int) -> int:
        """Go on with the pass, or begin one; return how many members were served, ``budget`` at most."""
        if self._services is None:
            if self.at == self.log.head:
                return 0
            self._services = self._begin_pass()
        services = self._services
        if budget > self._at_once:
            budget = self._at_once
        served = 0
        for service in services:
            served += self._serve(service, budget - served)
        # They are served one after the other, so the last one's end is the pass's.
        if not services or services[-1].is_done:
            self._services = None
            self._end_pass()
        return served

    def _begin_pass(self) -> list[Service]:
        head = self.log.head
        batch = self.log.batch(self.at, head, PASS_BYTES)
        self.at = batch[-1].offset
        if self.at == head:
            self.pending_bytes = 0
        else:
            self.pending_bytes -= sum([message.size_bytes for message in batch])
        services = self._cohorts.services(batch, is_echoed=self.rules.echo)
        size = 0
        for service in services:
            size += len(service.burst.data)
        self.log.frame_bytes += size
        self._at_once = AT_ONCE_BYTES // (size + 1) or 1
        return services

    def _serve(self, service: Service, budget: int) -> int:
        """Offer the burst to the next members. Per member: one send, nothing else."""
        burst = service.burst
        data = burst.data
        size = len(data)
        senders = burst.senders
        members = service.take(budget)
        took_all = 0
        # The one loop that is run for every delivery.
        for member in members:
            if senders and member.author in senders:
                self._serve_sender(member, burst)
            elif (taken := member.offer(data) if size else 0) == size:
                took_all += 1
            else:
                self._fall_behind(member, taken, burst)
        if took_all:
            burst.count_taken(self.counters, took_all)
            self.budget.unlooked_bytes -= (size + SEND_BYTES) * took_all
        return len(members)

    def _serve_sender(self, member: Member, burst: Burst) -> None:
        """Offer a sender the burst without its own frames."""
        data = burst.without(member)
        if not data or (taken := member.offer(data)) == len(data):
            burst.count_taken_without(self.counters, member)
            self.budget.unlooked_bytes -= len(data) + SEND_BYTES
        else:
            self._fall_behind(member, taken, burst)

    def _end_pass(self) -> None:
        if self._parting:
            for member in [member for member in self._parting if member not in self.laggards]:
                self._finish_if_served(member)
        if self._paused and self.pending_bytes * 2 <= self.rules.pending_max_bytes:
            self._paused.resume_all()
        self._trim(is_news=True)

    # --- messages out: the laggards

    def feed(self, member: Member) -> None:
        """Go on from a laggard's cursor. It can be written to, and owes no older bytes.

        A member that is up to date is owed nothing, and left alone.
        """
        lag = self.laggards.get(member)
        if lag is None:
            return
        if lag.half_written is not None:
            self.laggards.count_rest(member, lag, lag.half_written)
        if self.laggards.has_overflowed(lag) and not self._overflow(member, lag):
            return
        if lag.cursor < self.at:
            self._feed_from_log(member, lag)
            if lag.cursor < self.at or lag.half_written is not None:
                return
        self.laggards.remove(member)
        self._cohorts.enter(member)
        if member in self._parting:
            self._finish_if_served(member)
        if not self.laggards:
            # While others are behind, all that is held is needed still: ten thousand may catch up one after another.
            self._trim()

    def sweep(self, member: Member) -> None:
        """Notice that a laggard which never wakes has overflowed. For each member, about once a second."""
        lag = self.laggards.get(member)
        if lag is not None and self.rules.overflow == "close" and self.laggards.has_overflowed(lag):
            self._overflow(member, lag)

    def _feed_from_log(self, member: Member, lag: Lag) -> None:
        batch = self.log.batch(lag.cursor, self.at, PASS_BYTES)
        burst = self.laggards.burst(batch, member.wire_format, is_echoed=self.rules.echo)
        is_sender = member.author in burst.senders
        data = burst.without(member) if is_sender else burst.data
        taken = member.offer(data) if data else 0
        if taken < 0:
            # Dead. It has left or will do so, and is counted by its cursor then.
            return
        if taken < len(data):
            self._stop_at(member, lag, burst.count_short(self.counters, member, taken))
            return
        if is_sender:
            burst.count_taken_without(self.counters, member)
        else:
            burst.count_taken(self.counters, 1)
        lag.cursor = batch[-1].offset
        if lag.cursor < self.at:
            member.want_write()

    def _fall_behind(self, member: Member, taken: int, burst: Burst) -> None:
        """Make a laggard of a member that did not take the whole burst."""
        if taken < 0:
            # Dead. It has left or will do so, and nobody else accounts for this burst.
            burst.count_lost(self.counters, member)
            return
        self._cohorts.leave(member)
        may_stay = not self.budget.is_tight
        lag = self.laggards.add(member, self.at)
        self._stop_at(member, lag, burst.count_short(self.counters, member, taken))
        if not may_stay:
            self._give_up(member, Reason.OVERLOADED)

    def _stop_at(self, member: Member, lag: Lag, stop: Stop) -> None:
        """Remember where a laggard's bytes end, and go on from there when it can be written to."""
        lag.cursor = stop.cursor
        lag.half_written = stop.half_written
        if stop.rest:
            member.hold(stop.rest)
        member.want_write()

    def _overflow(self, member: Member, lag: Lag) -> bool:
        """Apply the overflow policy. Returns whether the member stays."""
        if self.rules.overflow == "close":
            self._give_up(member, Reason.LAGGING)
            return False
        self.counters.skips += 1
        newest = max(self.log.first - 1, self.at - 1)
        self.counters.drop(Reason.LAGGING, newest - lag.cursor)
        lag.cursor = newest
        member.missed(newest)
        return True

    def _give_up(self, member: Member, reason: Reason) -> None:
        behind = self.laggards.behind(member)
        self.leave(member, reason)
        member.overflowed(reason, behind)

    # --- small things

    def _finish_if_served(self, member: Member) -> None:
        """Let a parting member go, if all that was published before its goodbye is served."""
        close_at, reason = self._parting[member]
        if close_at <= self.at:
            self.leave(member, reason)
            member.finish(reason)
