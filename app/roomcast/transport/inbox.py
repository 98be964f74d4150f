"""What a member sends, and what is done about it: the other half of ``outbox.py``.

A watcher of the event loop calls when bytes have arrived. They become events; of
each event comes a message in the room, a pong, or the beginning of the end. How a
member ends is not known here: see ``websocket.py``.

Three hold a sender back, each by not reading it, so that TCP does. Its room, while
it owes too much. This file, for a moment, where one of its messages was dropped.
And its connection, where a small segment inflates to much.
"""

from __future__ import annotations

import socket
from abc import abstractmethod
from typing import TYPE_CHECKING

from gevent.hub import get_hub

from roomcast.policies.hits import Action
from roomcast.protocol.events import Close, Event, Failed, Message, More, Ping, Pong
from roomcast.protocol.frames import Opcode
from roomcast.protocol.handshake import Dialect
from roomcast.relay.message import Kind
from roomcast.relay.reasons import Reason
from roomcast.transport.goodbyes import LATE_MAX_BYTES, LATE_READ_BYTES, echo_of, why
from roomcast.transport.loop import READABLE, Stream, after, watcher
from roomcast.transport.outbox import Outbox
from roomcast.transport.stages import Stage

if TYPE_CHECKING:
    from roomcast.policies.limits import MemberRate
    from roomcast.protocol.connection import Connection
    from roomcast.relay.room import Room
    from roomcast.transport.membership import Membership

# The most that one wake-up reads: a fast sender must not keep the loop from
# everybody else. What is left wakes it again. As frames of the smallest size
# this is 3 ms of decoding; the 64 KiB that bigger messages would like are 13.
READ_BYTES = 16_384

# How long a member is not read of which a message was dropped. A flood of the smallest
# messages is 3 ms of decoding a read, as often as it is read, and it may go on for
# ever. Whoever sends a little too much hardly notices.
_OVER_RATE_PAUSE_S = 0.1

# TCP_CLOSE of the kernel's list of states (tcp_states.h).
_TCP_CLOSE = 7

# Bound once, because an enum looks its members up at the price of a call, and
# these are asked for with every message.
_OPEN = Stage.OPEN
_HEARD = (Stage.OPEN, Stage.CLOSING)
_TEXT_OPCODE = Opcode.TEXT
_TEXT, _BINARY = Kind.TEXT, Kind.BINARY


class Inbox(Outbox):
    """The reading half of a member.

    Args:
        connection: Its protocol state.
        raw: Its socket, non-blocking.
        rate: What it may send, or None for no limit.
        membership: What it shares with all other members.
    """

    __slots__ = (
        "_close_reason",
        "_connection",
        "_early",
        "_held_since_s",
        "_is_peer_done",
        "_late_bytes",
        "_rate",
        "_reader",
        "_room",
        "_stage",
    )

    _room: Room

    def __init__(self, connection: Connection, raw: Stream, rate: MemberRate | None, membership: Membership) -> None:
        super().__init__(raw, membership)
        self._connection = connection
        self._rate = rate
        self._stage = _OPEN
        self._close_reason = Reason.GONE
        self._reader = watcher(raw.fileno(), READABLE)
        # What came with the handshake and is not yet acted on; b"" where the
        # connection itself has something left to read, None where nothing waits.
        self._early: bytes | None = None
        # Since when its room has it not read, None where it is read.
        self._held_since_s: float | None = None
        # Whether nothing more is to be expected of the peer: it closed, or cannot be read on.
        self._is_peer_done = False
        # What has come since our goodbye.
        self._late_bytes = 0

    @property
    def room(self) -> Room:
        """The room that it is in, or was."""
        return self._room

    @property
    def dialect(self) -> Dialect:
        """What it speaks."""
        return self._connection.dialect

    @property
    def is_reset(self) -> bool:
        """Whether the peer has broken the connection, so that what it sent is lost, read or not."""
        if self._raw.family == socket.AF_UNIX:
            return any(self._raw.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR, 4))
        # The first byte of the answer is the state. A peer that ended its side
        # in order is in another one, and what it sent will still be read.
        return self._raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _TCP_CLOSE

    # --- what the room asks (see relay.member.Publisher)

    def pause(self) -> None:
        """Read no more from a publisher whose room owes too much. TCP holds it back."""
        self._held_since_s = self._membership.clock()
        self._reader.stop()
        self._membership.keep_alive.mind(self)
        # It may have answered a ping, and would not be heard.
        self.is_heard = True

    def resume(self) -> None:
        """Read again. The room asks this of nobody who is saying goodbye."""
        if self._rate is not None and self._held_since_s is not None:
            # Else a backlog of ours would be called a flood of its own.
            now_s = self._membership.clock()
            self._rate.make_up(now_s - self._held_since_s, now_s)
        self._held_since_s = None
        self._membership.keep_alive.unmind(self)
        self._reader.start(self._readable)
        if self._early is not None:
            # Not at once: the room is at the end of a pass, and this may publish.
            get_hub().loop.run_callback(self._take_early)

    # --- reading

    def _readable(self) -> None:
        # gevent stops a watcher whose callback raises: a member would go deaf.
        try:
            if self._membership.turns.is_over():
                self._line_up(is_long=False)
            else:
                self._read(READ_BYTES)
        except Exception as error:
            self._end_by_fault(error)

    def _line_up(self, *, is_long: bool) -> None:
        """Be read in a later turn: too many others were in this one, or there is more than its share."""
        self._reader.stop()
        # It may have answered a ping, and is not heard yet.
        self.is_heard = True
        self._membership.turns.line_up(self._read_share, is_long=is_long)

    def _read_share(self) -> None:
        # Behind its goodbye nobody holds it back any more, nor says so: the peer's is awaited.
        if self._stage not in _HEARD or (self._held_since_s is not None and self._stage is _OPEN):
            return
        try:
            self._reader.start(self._readable)
            size = self._membership.turns.share_bytes(READ_BYTES)
            # Whether it is read on is for whoever acts on what has come to say.
            if self._read(size) == size and self._stage is _OPEN and self._reader.active:
                self._line_up(is_long=True)
        except Exception as error:
            self._end_by_fault(error)

    def _read(self, size: int) -> int:
        """Read once, and act on what has come. Returns how much that is."""
        room = self._room
        if room.pending_bytes > room.rules.pending_max_bytes and self._stage is _OPEN:
            # Before it is read, not after: ten thousand members that send one
            # burst each into a room that owes too much are a gigabyte.
            room.hold_back(self)
            return 0
        try:
            data = self._raw.recv(size)
        except BlockingIOError:
            return 0
        except OSError:
            data = b""
        if not data:
            self._close(Reason.GONE)
            return 0
        self.is_heard = True
        self._membership.counters.received_bytes += len(data)
        if self._stage is _OPEN:
            self._take(data)
        else:
            self._take_late(data)
        return len(data)

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

    def _take_late(self, data: bytes) -> None:
        """Take what comes behind our goodbye. The peer's is awaited; all else is thrown away."""
        self._late_bytes += len(data)
        if not self._is_peer_done and self._late_bytes <= LATE_READ_BYTES:
            self._take(data)
            return
        self._is_peer_done = True
        self._shut_down_if_done()
        if self._late_bytes > LATE_MAX_BYTES:
            # Until the deadline TCP holds it back.
            self._reader.stop()

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

    def _publish(self, message: Message) -> None:
        if self._stage is not _OPEN:
            # It came in the same segment, behind the one message too many.
            self._room.counters.drop(self._close_reason, 1)
            return
        membership = self._membership
        if self._rate is not None:
            size_bytes = message.padded_bytes or len(message.payload)
            exceeded = self._rate.admit(size_bytes, membership.clock())
            if exceeded is not None:
                exceeded = membership.reports.enforced(self._rate, exceeded, size_bytes)
            if exceeded is not None:
                self._refuse(exceeded)
                return
        kind = _TEXT if message.opcode is _TEXT_OPCODE else _BINARY
        membership.hub.publish(self._room, kind, message.payload, self)

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
            self._part(Reason.PEER, echo_of(event.code))
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

    def _count_closed_by(self, limit: str) -> None:
        self._membership.counters.limit_hits[limit, Action.CLOSED] += 1

    # --- what only the whole member knows

    @abstractmethod
    def dismiss(self, reason: Reason, detail: str = "") -> None:
        """Close it behind what it is owed, and read no more."""

    @abstractmethod
    def cut(self, reason: Reason) -> None:
        """Close it now."""

    @abstractmethod
    def _part(self, reason: Reason, goodbye: Close) -> None:
        """Close it as ``dismiss`` does, with this goodbye."""

    @abstractmethod
    def _shut_down_if_done(self) -> None:
        """Shut our side down when both have said goodbye."""
