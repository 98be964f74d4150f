"""What one pass writes to one cohort: many frames, joined once, shared by all.

A burst also knows what its bytes mean, so it does the counting: for most
members all was taken and an addition counts them together; only for one whose
write came short are the frames looked at.
"""

from collections.abc import Sequence
from typing import NamedTuple

from roomcast.relay.author import Author
from roomcast.relay.counters import TemplateCounters
from roomcast.relay.member import Member
from roomcast.relay.message import Kind, Message, WireFormat
from roomcast.relay.reasons import Reason

# Under names of their own, because the class looks its members up at the price
# of ten additions.
_TEXT = Kind.TEXT
_BINARY = Kind.BINARY


class Stop(NamedTuple):
    """Where in a burst a write ended."""

    cursor: int
    """The offset of the last message that is done, or half written."""
    half_written: Kind | None
    """What the half-written frame carries; None where the write ended between two frames."""
    rest: memoryview
    """What is unsent of that frame. A view of it alone: of the whole burst, it
    would keep a megabyte alive for each of ten thousand stalled members."""


_NOTHING = memoryview(b"")


class Burst:
    """A batch of messages in one wire format.

    ``senders`` are those of the batch's senders who must not get all of ``data``.

    Args:
        batch: The messages, in order.
        wire_format: The format of the cohort that it is for.
        is_echoed: Whether senders get their own messages too. Where they do
            not, the burst remembers where each sender's frames lie.
    """

    __slots__ = ("_binaries", "_texts", "_uncarried", "batch", "data", "senders", "wire_format")

    def __init__(self, batch: Sequence[Message], wire_format: WireFormat, *, is_echoed: bool) -> None:
        self.batch = batch
        self.wire_format = wire_format
        self.senders: dict[Author | None, list[tuple[int, int, Kind]]] = {}
        frames: list[bytes] = []
        binaries = 0
        end = 0
        for message in batch:
            frame = message.frame(wire_format)
            if frame is None:
                continue
            frames.append(frame)
            if message.kind is _BINARY:
                binaries += 1
            if not is_echoed:
                start, end = end, end + len(frame)
                if message.sender is not None:
                    self.senders.setdefault(message.sender, []).append((start, end, message.kind))
        # One message is the usual burst of a small room: nothing to join.
        self.data = frames[0] if len(frames) == 1 else b"".join(frames)
        self._texts = len(frames) - binaries
        self._binaries = binaries
        self._uncarried = len(batch) - len(frames)

    def without(self, sender: Member) -> bytes:
        """Return the burst less the frames of one of its senders.

        Cut out of the joined bytes, not joined anew: with a hundred senders of
        one message each that is a hundred copies, not ten thousand look-ups.
        """
        view = memoryview(self.data)
        pieces: list[memoryview] = []
        position = 0
        for start, end, _ in self.senders[sender.author]:
            pieces.append(view[position:start])
            position = end
        pieces.append(view[position:])
        return b"".join(pieces)

    def count_taken(self, counters: TemplateCounters, members: int) -> None:
        """Count that the kernel took the whole burst for so many members."""
        wire_format = self.wire_format
        wire_format.sent_bytes += len(self.data) * members
        wire_format.frames_sent[_TEXT] += self._texts * members
        wire_format.frames_sent[_BINARY] += self._binaries * members
        counters.delivered += (self._texts + self._binaries) * members
        if self._uncarried:
            counters.drop(Reason.UNSUPPORTED, self._uncarried * members)

    def count_taken_without(self, counters: TemplateCounters, sender: Member) -> None:
        """Count that the kernel took, for one of its senders, all but its own frames."""
        self.count_taken(counters, 1)
        for start, end, kind in self.senders[sender.author]:
            self.wire_format.sent_bytes -= end - start
            self.wire_format.frames_sent[kind] -= 1
            counters.delivered -= 1

    def count_lost(self, counters: TemplateCounters, member: Member) -> None:
        """Count that a member was found dead when the burst was offered to it."""
        own = len(self.senders.get(member.author, ()))
        counters.drop(Reason.GONE, self._texts + self._binaries - own)
        counters.drop(Reason.UNSUPPORTED, self._uncarried)

    def count_short(self, counters: TemplateCounters, member: Member, taken: int) -> Stop:
        """Count, frame by frame, what the kernel took for one member; return where that ended.

        ``taken`` is a number of bytes of ``data``, or of ``without(member)`` for one of the senders.
        """
        wire_format = self.wire_format
        wire_format.sent_bytes += taken
        cursor = self.batch[0].offset - 1
        author = member.author if member.author in self.senders else None
        for message in self.batch:
            frame = message.frame(wire_format)
            if frame is None:
                counters.drop(Reason.UNSUPPORTED, 1)
            elif author is None or message.sender is not author:
                if taken < len(frame):
                    if taken == 0:
                        break
                    return Stop(message.offset, message.kind, memoryview(frame)[taken:])
                taken -= len(frame)
                wire_format.frames_sent[message.kind] += 1
                counters.delivered += 1
            cursor = message.offset
        return Stop(cursor, None, _NOTHING)


class Service:
    """One burst, and the members of its cohort as the pass found them."""

    __slots__ = ("burst", "members", "position")

    def __init__(self, burst: Burst, members: list[Member]) -> None:
        self.burst = burst
        self.members = members
        self.position = 0

    def take(self, budget: int) -> list[Member]:
        """Return the next members to serve, ``budget`` at most."""
        start = self.position
        if start == 0 and len(self.members) <= budget:
            # A small room, all in one go: no copy.
            self.position = len(self.members)
            return self.members
        self.position = min(start + budget, len(self.members))
        return self.members[start : self.position]

    @property
    def is_done(self) -> bool:
        """Whether all of them were served."""
        return self.position == len(self.members)
