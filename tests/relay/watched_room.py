"""A room under watch: whatever is done to it, all that it promises is checked at once.

The watcher keeps its own, simple account of who is owed what, and reads every
byte that a member's kernel took. It looks into the room only where a promise is
about something that cannot be seen from outside: who stands where.
"""

from bisect import bisect_right
from collections.abc import Callable

from roomcast.relay.budget import Budget
from roomcast.relay.counters import TemplateCounters
from roomcast.relay.history import ROOM_BYTES, SLACK_S, Histories
from roomcast.relay.laggards import Lag
from roomcast.relay.member import Behind, Member
from roomcast.relay.message import Kind, Message
from roomcast.relay.reasons import Reason
from roomcast.relay.room import Room
from roomcast.relay.rules import RoomRules
from roomcast.relay.shedding import Shedding
from roomcast.relay.start import NO_WISH, Gap, Start, Wish
from tests.relay.fake_wire import GOODBYE, ROOMY, BracketFormat, FakeMember, message

EPOCH = "k7c2m9qa"


class Listener(FakeMember):
    """A member, and what the watcher knows about it."""

    def __init__(self, wire_format: BracketFormat, capacity: int, start: int) -> None:
        super().__init__(wire_format, capacity)
        # Its share of the room's messages: those after `start`, up to `end` once it has left.
        self.start = start
        self.end: int | None = None
        self.close_at: int | None = None
        self.has_said_goodbye = False
        # How far its bytes were read, and what came: the newest offset, and the
        # one that may come next at the earliest.
        self.checked_bytes = 0
        self.frames_seen = 0
        self.heard = start
        self.next = start + 1
        # The offsets that it sent itself; the ranges that it was made to skip,
        # and those that are counted as dropped, whoever sent what is in them.
        self.sent: list[int] = []
        self.skipped: list[tuple[int, int]] = []
        self.dropped: list[tuple[int, int]] = []
        self.on_refusal: Callable[[Listener], None] = lambda _: None
        # Whether it is in the room only to speak.
        self.is_silent = False

    def overflowed(self, reason: Reason, behind: Behind | None) -> None:
        if reason is Reason.OVERLOADED:
            self.on_refusal(self)
        super().overflowed(reason, behind)

    @property
    def is_present(self) -> bool:
        return self.end is None


class WatchedRoom:
    """A room, its members, and the messages ever published in it."""

    def __init__(self, rules: RoomRules, lag_total_max_bytes: int = 0, history_total_max_bytes: int = 0) -> None:
        self.rules = rules
        self.counters = TemplateCounters("rooms")
        self.budget = Budget(lag_total_max_bytes)
        self.histories = Histories(history_total_max_bytes)
        # Nothing was said before the room opened, a second ago.
        self.now_s = 1.0
        history = (self.histories, 0.0) if rules.history_messages else ()
        self.room = Room("/rooms/a", rules, self.counters, self.budget, 0, *history)
        self.members: list[Listener] = []
        self.published: list[Message] = []
        self.formats = BracketFormat(b"<>"), BracketFormat(b"[]", carries_binary=False)
        self.shedding = Shedding(self.budget, {self.room.name: self.room}, lambda: 0.0)
        self._first_of_pass = 1
        self._first_held = 1
        # All up to this offset was forgotten on demand.
        self._forgotten = 0
        # Frames that were half written when their reader left, and may have come out whole after all.
        self._late_frames: list[tuple[Listener, int]] = []

    def present(self) -> list[Listener]:
        """Those who are in the room."""
        return [member for member in self.members if member.is_present]

    def publishers(self) -> list[Listener]:
        """Those whom the transport reads from."""
        return [one for one in self.present() if not one.is_dead and not one.is_paused and one.close_at is None]

    # --- what may happen to a room

    def publish(self, sender: Listener | None, kind: Kind, padding: int) -> None:
        offset = self.room.log.head + 1
        if sender is not None and not sender.wire_format.carries_binary:
            # Nobody sends what its own dialect cannot carry.
            kind = Kind.TEXT
        said = message(offset, b"%d" % offset + b"x" * padding, kind, sender, self.now_s)
        self.published.append(said)
        must_tell_hub = not self.room.is_flushing and offset == self.room.at + 1
        assert self.room.append(said) is must_tell_hub
        if sender is not None:
            sender.sent.append(offset)
            if self.room.pending_bytes > self.rules.pending_max_bytes:
                self.room.hold_back(sender)
        self.check()

    def flush(self, budget: int) -> None:
        if not self.room.is_flushing:
            self._first_of_pass = self.room.at + 1
        assert self.room.flush(budget) <= budget
        self.check()

    def join(self, format_index: int, capacity: int, wish: Wish = NO_WISH, *, is_listening: bool = True) -> Listener:
        start = self.room.find_start(wish, EPOCH, self.now_s)
        self._check_start(wish, start)
        member = Listener(self.formats[format_index], capacity, start.cursor)
        if not is_listening or (start.gap is not None and not wish.may_miss):
            member.is_silent = True
            member.skipped.append((0, ROOMY))
        self.members.append(member)
        member.on_refusal = self._refuse
        member.enter(self._feed, self._cut, self.budget)
        self.room.join(member, start.cursor, is_listening=not member.is_silent)
        self.check()
        return member

    def let_pass(self, seconds: float) -> None:
        """Let time pass, and the room forget what has grown too old meanwhile."""
        self.now_s += seconds
        if self.histories.due(self.now_s) and not self.room.is_flushing:
            old = [
                said.offset for said in self.published if said.published_s < self.now_s - self.rules.history_max_age_s
            ]
            self._forgotten = max(self._forgotten, *old[-1:], 0)
        self.check()

    def forget(self) -> None:
        """Let the room forget what it keeps, as when it is closed."""
        self._forgotten = self.room.log.head
        self.room.forget_history()
        self.check()

    def relieve(self) -> None:
        """Let the room forget what it keeps, if it is more than all may."""
        if self.histories.relieve():
            self._forgotten = self.room.log.head
        self.check()

    def part(self, member: Listener) -> None:
        if member.close_at is None:
            member.close_at = self.room.log.head
        self.room.part(member, Reason.RESTART)
        self.check()

    def leave(self, member: Listener) -> None:
        """Its connection is gone, and the transport has noticed."""
        self._depart(member)
        self.check()

    def die(self, member: Listener) -> None:
        """Its connection is gone; the transport will notice later."""
        member.is_dead = True

    def die_when_offered(self, member: Listener) -> None:
        """Its connection is gone; the transport notices in the middle of an offer, and leaves at once."""
        member.on_offer = lambda: self._depart(member)

    def control(self, member: Listener) -> None:
        member.control(b"{pong}")
        self.check()

    def drain(self, member: Listener, size: int) -> None:
        member.drain(size)
        self.check()

    def sweep(self, member: Listener) -> None:
        self._watch_overflow(member, self.room.sweep, may_wait=self.rules.overflow == "skip")
        self.check()

    def shed(self) -> None:
        """Let go whom the hub would let go now."""
        self.shedding.relieve()
        self.check()

    def settle(self) -> None:
        """Let everybody read until nothing is owed, and see that nothing is left over."""
        for member in self.present():
            if member.is_dead:
                self.leave(member)
        while self.room.is_flushing or self.room.at < self.room.log.head or any(map(_is_busy, self.members)):
            self.flush(3)
            for member in self.members:
                member.drain()
            self.check()
        self._check_end()

    # --- how it is done

    def _depart(self, member: Listener, reason: Reason = Reason.GONE) -> None:
        if not member.is_present:
            return
        lag = self.room.laggards.get(member)
        if lag is None:
            member.end = self.room.at
        else:
            self._give_up(member, lag)
        member.is_dead = True
        self.room.leave(member, reason)
        self.budget.release_member(member)

    def _cut(self, member: Member, reason: Reason) -> None:
        """See that it is one who holds more than may be held, and no other is further behind."""
        assert isinstance(member, Listener)
        assert reason is Reason.OVERLOADED
        assert self.budget.is_full
        behind = {one: self._behind_bytes(lag) for one, lag in self.room.laggards.items()}
        assert behind[member] == max(behind.values())
        self._depart(member, reason)

    def _behind_bytes(self, lag: Lag) -> int:
        first = max(lag.cursor, self.room.log.first - 1)
        return sum(said.size_bytes for said in self.published[first:])

    def _refuse(self, member: Listener) -> None:
        """Note that one who would have become a laggard is not kept."""
        assert self.budget.is_tight
        self._read(member)
        last_whole, head = self._next(member) - 1, self.room.log.head
        member.end = head
        member.dropped.append((last_whole, head))
        # Of a message, not of a control frame that it had to write before.
        is_half_written = member.taken[member.checked_bytes :].startswith(member.wire_format.left)
        member.skipped.append((last_whole + is_half_written, head))
        if is_half_written:
            self._late_frames.append((member, last_whole + 1))

    def _feed(self, member: Member) -> None:
        assert isinstance(member, Listener)
        self._watch_overflow(member, self.room.feed, may_wait=False)

    def _watch_overflow(self, member: Listener, act: Callable[[Member], None], *, may_wait: bool) -> None:
        """Let the room look after a member; see that it is made to skip what it must, and nothing else."""
        room = self.room
        lag = room.laggards.get(member)
        cursor = member.start if lag is None else lag.cursor
        first_held = room.log.first
        before = self.counters.dropped.get(Reason.LAGGING, 0)
        act(member)
        dropped = self.counters.dropped.get(Reason.LAGGING, 0) - before
        assert (dropped > 0) is (lag is not None and cursor < first_held - 1 and not may_wait)
        if not dropped:
            return
        if self.rules.overflow == "skip":
            assert cursor + dropped == max(first_held, room.at) - 1
            member.skipped.append((cursor, cursor + dropped))
            member.dropped.append((cursor, cursor + dropped))
        else:
            assert lag is not None
            assert member.ending is Reason.LAGGING
            member.skipped.append((cursor, room.log.head))
            self._give_up(member, lag)

    def _give_up(self, member: Listener, lag: Lag) -> None:
        """Note that the room counts all that a laggard was owed as dropped, its half-written frame too."""
        member.end = self.room.log.head
        member.dropped.append((_last_whole(lag), member.end))
        if lag.half_written is not None:
            self._late_frames.append((member, lag.cursor))

    # --- what must hold

    def check(self) -> None:
        for member in self.members:
            if member.ending is not None and member.is_present:
                member.end = self.room.at
            self._read(member)
        unserved = self._unserved()
        for member in self.members:
            if not member.is_dead and member.is_present:
                self._check_place(member, unserved)
        self._check_log()
        self._check_numbers(unserved)

    def _read(self, member: Listener) -> None:
        """Read what the kernel took since: whole frames, in order, none twice, none left out."""
        taken = member.taken
        while (start := member.checked_bytes) < len(taken):
            is_control = taken[start : start + 1] == b"{"
            assert is_control or taken[start : start + 1] == member.wire_format.left, "a torn stream"
            end = taken.find(b"}" if is_control else member.wire_format.right, start) + 1
            if end == 0:
                return
            assert not member.has_said_goodbye, "a frame after the close frame"
            member.checked_bytes = end
            if is_control:
                self._read_control(member, taken[start:end])
                continue
            member.heard = int(taken[start + 1 : end - 1].rstrip(b"x"))
            assert member.heard == self._next(member)
            member.next += 1
            member.frames_seen += 1

    def _read_control(self, member: Listener, frame: bytearray) -> None:
        member.has_said_goodbye = frame == GOODBYE
        if member.has_said_goodbye and member.close_at is not None:
            assert self._next(member) > member.close_at, "a close frame before what was published before it"

    def _next(self, member: Listener) -> int:
        """Return the offset of the next message that this member must get, or the one after the newest."""
        while member.next <= len(self.published) and not self._is_due(member, self.published[member.next - 1]):
            member.next += 1
        return member.next

    def _is_due(self, member: Listener, said: Message) -> bool:
        if said.sender is member.author and not self.rules.echo:
            return False
        if said.kind is Kind.BINARY and not member.wire_format.carries_binary:
            return False
        return not any(after < said.offset <= until for after, until in member.skipped)

    def _unserved(self) -> set[Member]:
        """Those whom the running pass has not come to."""
        services = self.room._services or []
        return {member for service in services for member in service.members[service.position :]}

    def _aged(self) -> int:
        """Return the newest offset that is too old to be told, whether it is forgotten yet or not."""
        if not self.rules.history_messages:
            return 0
        until_s = self.now_s - self.rules.history_max_age_s
        return max((said.offset for said in self.published if said.published_s < until_s), default=0)

    def _check_start(self, wish: Wish, start: Start) -> None:
        """See that a newcomer begins where it was promised to, or is told why not."""
        room, head = self.room, self.room.log.head
        oldest = max(room.log.first - 1, self._forgotten, self._aged())
        newest = min(wish.newest, self.rules.history_messages)
        assert start.cursor <= room.at, "what nobody was sent yet is no past"
        if wish.since is not None:
            epoch, offset = wish.since
            wanted = offset
            gap = Gap.EPOCH if epoch != EPOCH else None if oldest <= offset <= head else Gap.OFFSET
        elif wish.since_s is not None:
            # At least once: all of that time, and nothing of it is gone.
            recent = [said.offset for said in self.published if said.published_s >= self.now_s - wish.since_s]
            wanted = recent[0] - 1 if recent else head
            is_before_all = wish.since_s >= self.now_s or not self.rules.history_messages
            gap = Gap.TIME if is_before_all or wanted < oldest else None
        else:
            wanted, gap = head - newest, None
        assert start.gap is gap
        if gap is not None:
            wanted = head - (newest or self.rules.history_messages)
        assert start.cursor == min(max(wanted, oldest), room.at)

    def _check_place(self, member: Listener, unserved: set[Member]) -> None:
        lag = self.room.laggards.get(member)
        if lag is None:
            at = self._first_of_pass - 1 if member in unserved else self.room.at
            assert member.heard <= at < self._next(member)
            return
        assert member.is_waiting, "a laggard that nobody will wake"
        assert lag.cursor <= self.room.at
        assert member not in unserved
        if lag.half_written is None:
            assert member.heard <= lag.cursor < self._next(member)
        elif member.heard < lag.cursor:
            assert self._next(member) == lag.cursor
        else:
            # The frame is out, and the room will be told when the control frame behind it is, too.
            assert member.heard == lag.cursor < self._next(member)

    def _check_log(self) -> None:
        room = self.room
        assert room.log.first <= room.at + 1, "what nobody was sent is forgotten"
        pending_bytes = sum(said.size_bytes for said in self.published[room.at :])
        assert room.pending_bytes == pending_bytes
        if room.is_flushing:
            assert room.log.first == self._first_held, "trimmed while a pass runs"
        else:
            held = self.published[room.log.first - 1 :]
            assert room.log.frame_bytes == sum(said.frame_bytes for said in held)
            if room.log.first <= room.at and not pending_bytes:
                assert self._is_needed(held, self.published[-1].published_s), "kept for nobody"
            if room.log.first > self._first_held:
                assert not self._is_needed(self.published[room.log.first - 2 :], self.now_s), "forgotten too early"
        self._first_held = room.log.first

    def _is_needed(self, held: list[Message], now_s: float) -> bool:
        """Whether the oldest of these has to be held, be it for laggards or for those who come later."""
        size_bytes = sum(said.size_bytes for said in held)
        if self.room.laggards and size_bytes <= self.rules.lag_max_bytes:
            return True
        return (
            held[0].offset > self._forgotten
            and len(held) <= self.rules.history_messages
            and size_bytes <= self.rules.history_max_bytes
            and held[0].published_s >= now_s - self.rules.history_max_age_s
        )

    def _check_numbers(self, unserved: set[Member]) -> None:
        """Each message, for each member, was delivered, dropped, its own, or is still owed."""
        counters = self.counters
        done = sum(self._done(member, unserved) for member in self.members)
        assert counters.delivered + sum(counters.dropped.values()) == done
        present = self.present()
        assert counters.members == self.room.member_count == len(present)
        assert counters.laggards == len(self.room.laggards)
        paused = [member for member in present if member.is_paused and member.close_at is None]
        assert counters.publishers_paused == len(paused)
        if not self.room.is_flushing and self.room.pending_bytes * 2 <= self.rules.pending_max_bytes:
            assert not paused, "a publisher that nobody will read again"

    def _done(self, member: Listener, unserved: set[Member]) -> int:
        """How many messages are done with for this member, less its own that it was not sent."""
        if member.is_silent:
            return 0
        lag = self.room.laggards.get(member)
        if member in unserved:
            until = self._first_of_pass - 1
        elif lag is not None:
            until = _last_whole(lag)
        else:
            until = self.room.at if member.end is None else member.end
        own = 0 if self.rules.echo else _count_within(member.sent, member.start, until)
        dropped = sum(_count_within(member.sent, max(after, member.start), up_to) for after, up_to in member.dropped)
        return until - member.start - own + (0 if self.rules.echo else dropped)

    def _check_end(self) -> None:
        for member in self.present():
            assert member.close_at is None, "never told goodbye"
            assert self._next(member) > len(self.published), "never told all"
        late = sum(member.heard >= offset for member, offset in self._late_frames)
        assert sum(member.frames_seen for member in self.members) == self.counters.delivered + late
        assert sum(sum(of.frames_sent) for of in self.formats) == self.counters.delivered
        for wire_format in self.formats:
            readers = [member for member in self.members if member.wire_format is wire_format]
            assert wire_format.sent_bytes == sum(len(one.taken) - one.own_bytes for one in readers)
        for member in self.present():
            self.leave(member)
        for member in self.members:
            if member.is_dead:
                # Its transport has noticed, at last.
                self.budget.release_member(member)
        assert self.room.member_count == self.counters.laggards == self.counters.publishers_paused == 0
        assert self.budget.held_bytes == 0, "charged for nobody"
        self._check_history()

    def _check_history(self) -> None:
        """See that what is kept is accounted for, and goes when it is too old."""
        log = self.room.log
        held_bytes = log.size_bytes + log.frame_bytes
        assert self.histories.held_bytes == (held_bytes and held_bytes + ROOM_BYTES)
        assert self.room.keeps_something is (held_bytes > 0)
        self.let_pass(self.rules.history_max_age_s + SLACK_S)
        self.let_pass(0.001)
        assert (len(log), len(self.histories), self.histories.held_bytes) == (0, 0, 0)


def _is_busy(member: Listener) -> bool:
    return not member.is_dead and (member.is_waiting or member.read_bytes < len(member.taken))


def _last_whole(lag: Lag) -> int:
    return lag.cursor - (lag.half_written is not None)


def _count_within(offsets: list[int], after: int, until: int) -> int:
    return bisect_right(offsets, until) - bisect_right(offsets, after)
