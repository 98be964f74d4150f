"""A member: one WebSocket connection after its handshake.

It has no greenlet. Two watchers of the event loop call it: one when bytes have
arrived, one, started only while something is unsent, when it can be written
to. So an idle member costs a kilobyte, and a message to it one system call.

Its life has stages, which only go forward: see ``stages.py``.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from gevent.hub import get_hub

from roomcast.policies.hits import Action
from roomcast.protocol.events import Close, Event, Failed, Message, More, Ping, Pong
from roomcast.protocol.frames import Opcode
from roomcast.protocol.handshake import Dialect
from roomcast.relay.message import Kind
from roomcast.relay.reasons import Reason
from roomcast.transport import kernel
from roomcast.transport.goodbyes import LATE_MAX_BYTES, LATE_READ_BYTES, echo_of, why
from roomcast.transport.loop import READABLE, Stream, after, watcher
from roomcast.transport.outbox import Outbox
from roomcast.transport.stages import Stage
from roomcast.transport.visitor import LINGER_S

if TYPE_CHECKING:
    from roomcast.policies.limits import MemberRate
    from roomcast.protocol.connection import Connection
    from roomcast.relay.room import Room
    from roomcast.transport.formats import DialectFormat
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

# Whoever was told to go because of what is held for it: it had its time to take the rest.
_FOR_MEMORY = frozenset((Reason.LAGGING, Reason.OVERLOADED))

# Bound once, because an enum looks its members up at the price of a call, and
# these are asked for with every message.
_OPEN = Stage.OPEN
_HEARD = (Stage.OPEN, Stage.CLOSING)
_TEXT_OPCODE = Opcode.TEXT
_TEXT, _BINARY = Kind.TEXT, Kind.BINARY


class WebSocketMember(Outbox):
    """One connection in a room, as ``relay.member.Member`` wants it.

    Args:
        connection: Its protocol state.
        raw: Its socket, non-blocking. The member closes it.
        wire_format: Its cohort's.
        rate: What it may send, or None for no limit.
        address: The peer's, for the log and the count per address.
        membership: What it shares with all other members.
    """

    __slots__ = (
        "_close_reason",
        "_connection",
        "_early",
        "_goodbye",
        "_is_held_back",
        "_is_peer_done",
        "_late_bytes",
        "_rate",
        "_reader",
        "_room",
        "_stage",
        "address",
        "bucket",
        "joined_s",
        "wire_format",
    )

    _room: Room

    def __init__(
        self,
        connection: Connection,
        raw: Stream,
        wire_format: DialectFormat,
        rate: MemberRate | None,
        address: str,
        membership: Membership,
    ) -> None:
        super().__init__(raw, membership)
        self.wire_format = wire_format
        self.address = address
        self.joined_s = membership.clock()
        # The keep-alive's: where it stands there.
        self.bucket = 0
        self._connection = connection
        self._rate = rate
        self._stage = _OPEN
        self._reader = watcher(raw.fileno(), READABLE)
        # What came with the handshake and is not yet acted on; b"" where the
        # connection itself has something left to read, None where nothing waits.
        self._early: bytes | None = None
        self._goodbye: Close | None = None
        self._close_reason = Reason.GONE
        # Whether its room has it not read.
        self._is_held_back = False
        # Whether nothing more is to be expected of the peer: it closed, or cannot be read on.
        self._is_peer_done = False
        # What has come since our goodbye.
        self._late_bytes = 0

    def open(self, room: Room, first: bytes, received: bytes) -> None:
        """Begin: write ``first`` (the 101, a greeting), and read what came with the handshake already."""
        self._room = room
        try:
            self._write(first)
            self._reader.start(self._readable)
        except Exception as error:
            self._end_by_fault(error)
        else:
            if received:
                self._early = received
                self._take_early()

    @property
    def room(self) -> Room:
        """The room that it is in, or was."""
        return self._room

    @property
    def is_in_room(self) -> bool:
        """Whether it has not said goodbye yet."""
        return self._stage <= Stage.PARTING

    @property
    def is_reset(self) -> bool:
        """Whether the peer has broken the connection, so that what it sent is lost, read or not."""
        if self._raw.family == socket.AF_UNIX:
            return any(self._raw.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR, 4))
        # The first byte of the answer is the state. A peer that ended its side
        # in order is in another one, and what it sent will still be read.
        return self._raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _TCP_CLOSE

    @property
    def dialect(self) -> Dialect:
        """What it speaks."""
        return self._connection.dialect

    # --- what the room asks beside the outbox (see relay.member.Member)

    def finish(self, reason: Reason) -> None:
        """Send the close frame: all that was owed has been written."""
        self._say_goodbye(reason)

    def overflowed(self, reason: Reason) -> None:
        """Send the close frame to one that fell too far behind, or for whom nothing can be held."""
        self._count_closed_by("lag_max_bytes" if reason is Reason.LAGGING else "lag_total_max_bytes")
        self._say_goodbye(reason)

    def fail(self) -> None:
        """Say goodbye for a fault of ours, without what was owed: who knows what of it is right."""
        self._stage = Stage.CLOSING
        self._close_reason = Reason.INTERNAL
        self._goodbye = None
        self._is_peer_done = True
        if self._is_waiting:
            # A close frame would have to wait for bytes that may never be taken.
            self._close(Reason.INTERNAL)
        else:
            self._say_goodbye(Reason.INTERNAL)

    def pause(self) -> None:
        """Read no more from a publisher whose room owes too much. TCP holds it back."""
        self._is_held_back = True
        self._reader.stop()
        self._membership.keep_alive.mind(self)
        # It may have answered a ping, and would not be heard.
        self.is_heard = True

    def resume(self) -> None:
        """Read again. The room asks this of nobody who is saying goodbye."""
        self._is_held_back = False
        self._membership.keep_alive.unmind(self)
        self._reader.start(self._readable)
        if self._early is not None:
            # Not at once: the room is at the end of a pass, and this may publish.
            get_hub().loop.run_callback(self._take_early)

    # --- what the keep-alive and the drain ask

    def ping(self) -> bool:
        """Ask for a sign of life.

        Returns:
            Whether silence means something now. hixie-76 has no ping; a member
            that is owed bytes shows that it lives by taking them, and one that
            is not read could answer and not be heard.
        """
        is_read = self._stage is _OPEN and self._reader.active
        if self._is_waiting or not is_read or self.dialect is Dialect.HIXIE76:
            return False
        self.is_heard = False
        self._count_sent(Opcode.PING)
        self._write(self._connection.send(Ping(b"")))
        return True

    def dismiss(self, reason: Reason, detail: str = "") -> None:
        """Close it behind what it is owed; ``detail`` follows the reason in the close frame.

        The first call decides: a member that is parting already goes on as it was told.
        """
        text = f"{reason} {detail}" if detail else str(reason)
        self._part(reason, Close(reason.close_code, text))

    def cut(self, reason: Reason) -> None:
        """Close it now: it takes nothing, or there is no time or memory left."""
        if reason is Reason.OVERLOADED and self.is_in_room:
            self._count_closed_by("lag_total_max_bytes")
        self._close(reason)

    # --- reading

    def _readable(self) -> None:
        room = self._room
        if room.pending_bytes > room.rules.pending_max_bytes and self._stage is _OPEN:
            # Before it is read, not after: ten thousand members that send one
            # burst each into a room that owes too much are a gigabyte.
            room.hold_back(self)
            return
        try:
            data = self._raw.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        # gevent stops a watcher whose callback raises: a member would go deaf.
        try:
            if data:
                self.is_heard = True
                self._membership.counters.received_bytes += len(data)
                if self._stage is _OPEN:
                    self._take(data)
                else:
                    self._take_late(data)
            else:
                self._close(Reason.GONE)
        except Exception as error:
            self._end_by_fault(error)

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
            size_bytes = len(message.payload)
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
        if self._stage is _OPEN and not self._is_held_back:
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
                after(0.0, self._take_early)

    def _give_up(self, reason: Reason, detail: str, limit: str | None) -> None:
        """Close one that breaks a rule or exceeds a limit, and listen to it no more, not even for its goodbye."""
        self._is_peer_done = True
        if self._stage is _OPEN and limit is not None:
            self._count_closed_by(limit)
        self.dismiss(reason, detail)
        self._shut_down_if_done()

    def _count_closed_by(self, limit: str) -> None:
        self._membership.counters.limit_hits[limit, Action.CLOSED] += 1

    # --- the end

    def _part(self, reason: Reason, goodbye: Close) -> None:
        """Read no more; say goodbye when all that is owed is written."""
        if self._stage is not _OPEN:
            return
        self._stage = Stage.PARTING
        self._close_reason = reason
        self._goodbye = goodbye
        self._reader.stop()
        self._membership.hub.part(self._room, self, reason)

    def _say_goodbye(self, reason: Reason) -> None:
        self._stage = Stage.CLOSING
        self._close_reason = reason
        self._write_close(self._connection.send(self._goodbye or Close(reason.close_code, str(reason))))
        after(self._membership.close_timeout_s, self._expire)
        # To notice the peer's half of the closing handshake, or its end.
        self._reader.start(self._readable)
        if self._early is not None:
            after(0.0, self._take_early)
        self._shut_down_if_done()

    def _shut_down_if_done(self) -> None:
        """Shut our side down when both have said goodbye. The server ends TCP first (RFC 6455, 7.1.1)."""
        if self._stage is not Stage.CLOSING or self._is_waiting or not self._is_peer_done:
            return
        self._stage = Stage.LINGERING
        try:
            self._raw.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(self._close_reason)
        else:
            after(LINGER_S, self._expire)

    def _expire(self) -> None:
        self._close(self._close_reason)

    def _end_by_fault(self, error: Exception) -> None:
        """Close with 1011 after an exception that nobody expected. The others go on."""
        self._membership.report(self, error)
        if self.is_in_room:
            self._membership.hub.leave(self._room, self, Reason.INTERNAL)
            self.fail()
        else:
            self._close(Reason.INTERNAL)

    def _close(self, reason: Reason) -> None:
        """Give everything back. May be called twice; the second does nothing."""
        if self._stage is Stage.CLOSED:
            return
        was_in_room = self.is_in_room
        if not was_in_room:
            reason = self._close_reason
        # Something is half said; or what the kernel keeps is why it goes, or is dearly needed.
        is_torn = self._is_waiting or reason in _FOR_MEMORY or self._membership.hub.budget.is_tight
        self._stage = Stage.CLOSED
        self._is_waiting = self._is_dead = True
        # Before the descriptor: a watcher that is left active fires for the
        # next socket with its number, or libev aborts the whole process.
        for active in (self._reader, self._writer):
            if active is not None:
                active.stop()
                active.close()
        kernel.close(self._raw, is_torn=is_torn)
        self._tail = None
        try:
            if was_in_room:
                self._membership.hub.leave(self._room, self, reason)
        finally:
            self._membership.closed(self, reason)

    # --- what the outbox asks

    def _feed(self) -> None:
        if self.is_in_room:
            self._membership.hub.feed(self._room, self)

    def _begin_waiting(self) -> None:
        self._membership.keep_alive.watch(self)

    def _all_written(self) -> None:
        self._membership.keep_alive.unwatch(self)
        self._shut_down_if_done()

    def _count_sent(self, opcode: Opcode, frames: int = 1) -> None:
        self._membership.counters.frames_sent[self.dialect][opcode] += frames
