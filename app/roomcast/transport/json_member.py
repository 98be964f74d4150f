"""A member that speaks ``roomcast.json``: it is told what a raw one can only guess.

What it is told beside the room's messages (answers, gaps, who comes and goes) is no
room's: it waits here for its turn, between frames. There is never much of it, unless
somebody publishes and does not read the answers; then it has to go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from roomcast.protocol import json_messages
from roomcast.protocol.events import Message
from roomcast.protocol.frames import Opcode
from roomcast.protocol.json_messages import Publication, Ref, UnreadableError
from roomcast.relay.message import Kind
from roomcast.relay.reasons import Reason
from roomcast.transport.formats import people
from roomcast.transport.stages import Stage
from roomcast.transport.websocket import WebSocketMember

if TYPE_CHECKING:
    from collections.abc import Sequence

    from roomcast.protocol.notices import Notice
    from roomcast.transport.goodbyes import Goodbye

# How much may wait that is no room's: the answers to a thousand messages.
TOLD_MAX_BYTES = 65_536


class JsonMember(WebSocketMember):
    """A ``WebSocketMember`` that gets answers."""

    __slots__ = ("_has_missed_news", "_is_reading", "_told", "_told_bytes")

    def _prepare(self) -> None:
        # Not a deque: an empty one takes 600 bytes, in each of ten thousand members.
        self._told: list[bytes] = []
        self._told_bytes = 0
        # Whether others came or went while it did not read.
        self._has_missed_news = False
        # Whether something is being read: its answers go out together, behind the last.
        self._is_reading = False

    # --- what it is told

    def tell(self, told: bytes) -> None:
        """Tell the peer something that is no room's: now, or as soon as nothing older waits."""
        if self._stage is not Stage.OPEN:
            return
        self._add(told)
        if self._told_bytes > TOLD_MAX_BYTES and self._is_waiting:
            self._told.clear()
            self._told_bytes = 0
            self._give_up(Reason.LAGGING, "unread=answers", None)
        elif not self._is_reading:
            self._write_told()

    def announce(self, frames: Sequence[bytes]) -> None:
        """Tell it who comes and goes. If it does not read, that is not kept: then it is told later who is there."""
        if self._stage is not Stage.OPEN:
            return
        if self._is_waiting:
            self._has_missed_news = True
        else:
            self._count_sent(Opcode.TEXT, len(frames))
            self._write(b"".join(frames))

    def _notify(self, notice: Notice) -> None:
        self.tell(json_messages.notice(notice))

    def _add(self, told: bytes) -> None:
        frame = self.wire_format.frame(Kind.TEXT, told) or b""
        self._told.append(frame)
        self._told_bytes += len(frame)

    def _write_told(self) -> None:
        if self._told and not self._is_waiting:
            self._write(self._take_told())

    def _take_told(self) -> bytes:
        if self._has_missed_news and self._stage is Stage.OPEN:
            room = self._room
            self._add(json_messages.present(people(room.present(), room.member_count), room.member_count))
        self._has_missed_news = False
        self._count_sent(Opcode.TEXT, len(self._told))
        frames = b"".join(self._told)
        self._told.clear()
        self._told_bytes = 0
        return frames

    def _next_own(self) -> memoryview | None:
        if self._tail is None and (frames := self._take_told()):
            return memoryview(frames)
        return super()._next_own()

    def _last_words(self, goodbye: Goodbye) -> bytes:
        if goodbye.reason is not Reason.PEER:
            # A peer that said goodbye first listens to nothing but ours.
            self._add(json_messages.notice(goodbye.notice(self.id)))
        # Answers may wait for the end of what is read, in which its own goodbye stood.
        return self._take_told() + super()._last_words(goodbye)

    # --- what it says

    def _take(self, data: bytes) -> None:
        self._is_reading = True
        try:
            super()._take(data)
        finally:
            self._is_reading = False
        self._write_told()

    def _publish(self, message: Message) -> int | None:
        if self._stage is not Stage.OPEN:
            return super()._publish(message)
        try:
            said = json_messages.parse(message.payload, is_text=message.opcode is Opcode.TEXT)
        except UnreadableError as error:
            self._answer_no(error.ref, error.reason, str(error), message)
            return None
        if not self.may_publish:
            self._room.counters.drop(Reason.FORBIDDEN, 1)
            self._answer_no(said.ref, "forbidden", "its token does not let it publish", message)
            return None
        offset = super()._publish(_as_sent(said, message))
        if offset is None:
            self.tell(json_messages.error(said.ref, "rate", "more than its rate allows"))
        elif said.ref is not None:
            self.tell(json_messages.ack(said.ref, offset))
        return offset

    def _answer_no(self, ref: Ref, reason: str, detail: str, message: Message) -> None:
        """Say what is wrong with a message that is not published. It counts as a message: to read it took as long."""
        size_bytes, rate = message.padded_bytes or len(message.payload), self._rate
        exceeded = None if rate is None else rate.admit(size_bytes, self._membership.clock())
        if rate is not None and exceeded is not None:
            exceeded = self._membership.reports.enforced(rate, exceeded, size_bytes)
        if exceeded is not None:
            self._refuse(exceeded)
        self.tell(json_messages.error(ref, reason, detail))


def _as_sent(said: Publication, message: Message) -> Message:
    """Return what is said, as a raw member would have sent it; it counts for what it came in."""
    opcode = Opcode.TEXT if said.is_text else Opcode.BINARY
    return Message(opcode, said.payload, max(message.padded_bytes, len(message.payload)))
