"""What one pass writes to one cohort: many frames, joined once, shared by all."""

from collections.abc import Sequence

from roomcast.relay.counters import TemplateCounters
from roomcast.relay.member import Member
from roomcast.relay.message import Kind, Message, WireFormat
from roomcast.relay.reasons import Reason


class Burst:
    """A batch of messages in one wire format.

    Args:
        batch: The messages, in order.
        wire_format: The format of the cohort that it is for.
        is_echoed: Whether senders get their own messages too. Where they do
            not, the burst remembers where each sender's frames lie.
    """

    __slots__ = ("_binaries", "_spans", "_texts", "batch", "data", "senders", "uncarried", "wire_format")

    def __init__(self, batch: Sequence[Message], wire_format: WireFormat, *, is_echoed: bool) -> None:
        self.batch = batch
        self.wire_format = wire_format
        frames: list[bytes] = []
        # By kind; the two plain names are for the sums that the hot path makes.
        counts = {Kind.TEXT: 0, Kind.BINARY: 0}
        self._spans: dict[Member, list[tuple[int, int, Kind]]] = {}
        end = 0
        for message in batch:
            frame = message.frame(wire_format)
            if frame is None:
                continue
            frames.append(frame)
            counts[message.kind] += 1
            start, end = end, end + len(frame)
            if message.sender is not None and not is_echoed:
                self._spans.setdefault(message.sender, []).append((start, end, message.kind))
        self.data = frames[0] if len(frames) == 1 else b"".join(frames)
        self._texts = counts[Kind.TEXT]
        self._binaries = counts[Kind.BINARY]
        self.uncarried = len(batch) - len(frames)
        self.senders = self._spans.keys()

    @property
    def frames(self) -> int:
        """How many frames it holds."""
        return self._texts + self._binaries

    def without(self, sender: Member) -> bytes:
        """Return the burst less the frames of one of its senders.

        Cut out of the joined bytes, not joined anew: with a hundred senders of
        one message each that is a hundred copies, not ten thousand look-ups.
        """
        view = memoryview(self.data)
        pieces: list[memoryview] = []
        position = 0
        for start, end, _ in self._spans[sender]:
            pieces.append(view[position:start])
            position = end
        pieces.append(view[position:])
        return b"".join(pieces)

    def count_taken(self, counters: TemplateCounters, members: int) -> None:
        """Count that the kernel took the whole burst for so many members."""
        wire_format = self.wire_format
        wire_format.sent_bytes += len(self.data) * members
        wire_format.frames_sent[Kind.TEXT] += self._texts * members
        wire_format.frames_sent[Kind.BINARY] += self._binaries * members
        counters.delivered += (self._texts + self._binaries) * members
        if self.uncarried:
            counters.drop(Reason.UNSUPPORTED, self.uncarried * members)

    def count_taken_without(self, counters: TemplateCounters, sender: Member) -> None:
        """Count that the kernel took, for one of its senders, all but its own frames."""
        self.count_taken(counters, 1)
        for start, end, kind in self._spans[sender]:
            self.wire_format.sent_bytes -= end - start
            self.wire_format.frames_sent[kind] -= 1
            counters.delivered -= 1
