"""What a member sends, and what is done about it.

What has arrived becomes events; of each event comes a message in the room, a pong,
or the beginning of the end. How a member ends is not known here: see ``member.py``
and ``websocket.py``.

Three hold a sender back, each by not reading it, so that TCP does. Its room, while
it owes too much. This file, for a moment, where one of its messages was dropped.
And its connection, where a small segment inflates to much.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gevent.hub import get_hub

from roomcast.policies.hits import Action
from roomcast.protocol.events import Close, Event, Failed, Message, More, Ping, Pong
from roomcast.protocol.frames import Opcode
from roomcast.relay.author import Author
from roomcast.relay.message import Kind
from roomcast.relay.reasons import Reason
from roomcast.transport.goodbyes import echo_of, why
from roomcast.transport.loop import Stream, after
from roomcast.transport.member import StreamMember
from roomcast.transport.stages import Stage

if TYPE_CHECKING:
    from roomcast.policies.limits import MemberRate
    from roomcast.protocol.connection import Connection
    from roomcast.transport.formats import DialectFormat
    from roomcast.transport.membership import Membership

# How long a member is not read of which a message was dropped. A flood of the smallest
# messages is 3 ms of decoding a read, as often as it is read, and it may go on for
# ever. Whoever sends a little too much hardly notices.
_OVER_RATE_PAUSE_S = 0.1

# Bound once, because an enum looks its members up at the price of a call, and
# these are asked for with every message.
_OPEN = Stage.OPEN
_HEARD = (Stage.OPEN, Stage.CLOSING)
_TEXT_OPCODE = Opcode.TEXT
_TEXT, _BINARY = Kind.TEXT, Kind.BINARY


class Inbox(StreamMember):
    """A member that may send.

    Args:
        connection: Its protocol state.
        raw: Its socket, non-blocking. The member closes it.
        wire_format: Its cohort's.
        rate: What it may send, or None for no limit.
        address: The peer's, for the log and the count per address.
        membership: What it shares with all other members.
    """

    __slots__ = ("_connection", "_early", "_rate")

    def __init__(
        self,
        connection: Connection,
        raw: Stream,
        wire_format: DialectFormat,
        rate: MemberRate | None,
        address: str,
        membership: Membership,
    ) -> None:
        super().__init__(raw, wire_format, address, membership)
        self._connection = connection
        self._rate = rate
        # What came with the handshake and is not yet acted on; b"" where the
        # connection itself has something left to read, None where nothing waits.
        self._early: bytes | None = None

    # --- what the room asks (see relay.member.Publisher)

    def resume(self) -> None:
        """Read again. The room asks this of nobody who is saying goodbye."""
        if self._rate is not None and self._held_since_s is not None:
            # Else a backlog of ours would be called a flood of its own.
            now_s = self._membership.clock()
            self._rate.make_up(now_s - self._held_since_s, now_s)
        super().resume()
        if self._early is not None:
            # Not at once: the room is at the end of a pass, and this may publish.
            get_hub().loop.run_callback(self._take_early)

    # --- reading

    def _read(self, size: int) -> int:
        room = self._room
        if room.pending_bytes > room.rules.pending_max_bytes and self._stage is _OPEN:
            # Before it is read, not after: ten thousand members that send one
            # burst each into a room that owes too much are a gigabyte.
            room.hold_back(self)
            return 0
        return super()._read(size)

    def _begin_with(self, received: bytes) -> None:
        self._early = received
        self._take_early()

    def _take_early(self) -> None:
        """Act on what came and waits, unless the room owes too much: then when it is read again."""
        if self._early is None or self._is_peer_done or self._stage not in _HEARD:
            return
        if self._room.is_over_pending and self._stage is _OPEN:
            self._room.hold_back(self)
            return
        early, self._early = self._early, None
        try:
            self._reader.start(self._readable)
            self._take(early)
        except Exception as error:
            self._end_by_fault(error)

    def _take(self, data: bytes) -> None:
        """Act on what arrived."""
        pongs: list[bytes] = []
        for event in self._connection.receive(data):
            if type(event) is Message:
                self._publish(event)
            elif isinstance(event, Ping):
                if self._stage is _OPEN:
                    pongs.append(self._connection.send(Pong(event.payload)))
            else:
                self._write_pongs(pongs)
                pongs = []
                self._answer(event)
        self._write_pongs(pongs)

    def _publish(self, message: Message) -> int | None:
        """Publish a message; return its offset, or None where it was one too many."""
        if self._stage is not _OPEN:
            # It came in the same segment, behind the one message too many.
            self._room.counters.drop(self._close_reason, 1)
            return None
        if self.grant is not None and not self.grant.may_publish:
            self._forbid()
            return None
        membership = self._membership
        if self._rate is not None:
            size_bytes = message.padded_bytes or len(message.payload)
            exceeded = self._rate.admit(size_bytes, membership.clock())
            if exceeded is not None:
                exceeded = membership.reports.enforced(self._rate, exceeded, size_bytes)
            if exceeded is not None:
                self._refuse(exceeded)
                return None
        if self.author is None:
            self.author = Author(self)
        kind = _TEXT if message.opcode is _TEXT_OPCODE else _BINARY
        return membership.hub.publish(self._room, kind, message.payload, self)

    def _forbid(self) -> None:
        """Let a message into no room whose sender's token does not let it publish, and close it."""
        self._room.counters.drop(Reason.FORBIDDEN, 1)
        self._give_up(Reason.FORBIDDEN, "action=publish", None)

    def _refuse(self, limit: str) -> None:
        """Let a message that is one too many not into the room, nor, where the room says so, its sender stay."""
        self._room.counters.drop(Reason.RATE, 1)
        if self._room.rules.over_rate == "close":
            self._give_up(Reason.RATE, f"limit={limit}", limit)
            return
        self._membership.counters.limit_hits[limit, Action.DROPPED] += 1
        if self._reader.active:
            self._reader.stop()
            after(_OVER_RATE_PAUSE_S, self._read_on)

    def _read_on(self) -> None:
        if self._stage is _OPEN and self._held_since_s is None:
            self._reader.start(self._readable)
            self._take_early()

    def _answer(self, event: Event) -> None:
        """Answer a goodbye or a fault. A pong needs no answer: that bytes came was all it had to say."""
        if isinstance(event, Close):
            self._is_peer_done = True
            self._part_with(echo_of(event.code))
            self._shut_down_if_done()
        elif isinstance(event, Failed):
            self._give_up(*why(event.error), event.error.limit)
        elif isinstance(event, More):
            self._early = b""
            # Else its room holds it back, or it says goodbye: they come back to it.
            if self._reader.active:
                self._reader.stop()
                self._membership.turns.line_up(self._take_early, is_long=True)

    def _give_up(self, reason: Reason, detail: str, limit: str | None) -> None:
        """Close one that breaks a rule or exceeds a limit, and listen to it no more, not even for its goodbye."""
        self._is_peer_done = True
        if self._stage is _OPEN and limit is not None:
            self._count_closed_by(limit)
        self.dismiss(reason, detail)
        self._shut_down_if_done()
