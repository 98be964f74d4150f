"""What all members have in common, whatever they speak: a room, a life in stages, one end.

A member has no greenlet. Two watchers of the event loop call it: one when bytes have
arrived, one, started only while something is unsent, when it can be written
to. So an idle member costs a kilobyte, and a message to it one system call.

Its life has stages, which only go forward: see ``stages.py``. What the bytes mean that
come from it, and what is said to it last, those know who speak with it: ``websocket.py``
and ``sse.py``.
"""

from __future__ import annotations

import socket
from abc import abstractmethod
from typing import TYPE_CHECKING, Protocol

from roomcast.policies.hits import Action
from roomcast.protocol import notices
from roomcast.relay.message import WireFormat
from roomcast.relay.reasons import Reason
from roomcast.transport import kernel
from roomcast.transport.goodbyes import Goodbye
from roomcast.transport.loop import Stream, after
from roomcast.transport.reading import Reading
from roomcast.transport.recorder import Parted
from roomcast.transport.stages import Stage
from roomcast.transport.visit import UNKNOWN
from roomcast.transport.visitor import LINGER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from roomcast.policies.grants import Grant
    from roomcast.protocol.notices import Notice
    from roomcast.relay.author import Author
    from roomcast.relay.member import Behind
    from roomcast.relay.room import Room
    from roomcast.transport.membership import Membership

# Whoever was told to go because of what is held for it: it had its time to take the rest.
_FOR_MEMORY = frozenset((Reason.LAGGING, Reason.OVERLOADED))


class CohortFormat(WireFormat, Protocol):
    """The wire format of a cohort, and what that speaks."""

    @property
    def dialect(self) -> str:
        """Its name in metrics and logs."""


class StreamMember(Reading):
    """One connection in a room, as ``relay.member.Member`` wants it.

    Args:
        raw: Its socket, non-blocking. The member closes it.
        wire_format: Its cohort's.
        address: The peer's, for the log and the count per address.
        membership: What it shares with all other members.
    """

    __slots__ = (
        "_behind",
        "_close_reason",
        "_goodbye",
        "_room",
        "address",
        "author",
        "bucket",
        "grant",
        "joined_s",
        "number",
        "visit",
        "wire_format",
    )

    _room: Room

    def __init__(self, raw: Stream, wire_format: CohortFormat, address: str, membership: Membership) -> None:
        super().__init__(raw, membership)
        self.wire_format = wire_format
        self.address = address
        self.number = membership.next_number()
        self.author: Author | None = None
        self.joined_s = membership.clock()
        # What its token gives; None where it came in without one.
        self.grant: Grant | None = None
        # How it came; whoever lets it in says so.
        self.visit = UNKNOWN
        # The keep-alive's: where it stands there.
        self.bucket = 0
        self._close_reason = Reason.GONE
        # How far behind its room it was when it left that.
        self._behind: Behind | None = None
        # What it is told last, where that is more than the reason.
        self._goodbye: Goodbye | None = None
        self._prepare()

    def open(self, room: Room, first: bytes, received: bytes) -> None:
        """Begin: write ``first`` (the head of the answer, a greeting), and read what came with the request already."""
        self._room = room
        try:
            self._write(first)
            self._reader.start(self._readable)
            if received:
                self._begin_with(received)
        except Exception as error:
            self._end_by_fault(error)

    @property
    def id(self) -> str:
        """Which connection it is, of all that there ever were."""
        # Made when somebody asks, for most are never asked for.
        return f"{self._membership.hub.epoch}.{self.number}"

    @property
    def room(self) -> Room:
        """The room that it is in, or was."""
        return self._room

    @property
    def dialect(self) -> str:
        """What it speaks."""
        return self.wire_format.dialect

    @property
    def is_in_room(self) -> bool:
        """Whether it has not said goodbye yet."""
        return self._stage <= Stage.PARTING

    @property
    def subject(self) -> str | None:
        """Whom its token names, None where it has none, or one that names nobody."""
        return None if self.grant is None else self.grant.subject

    @property
    def may_publish(self) -> bool:
        """Whether it may send."""
        return self.grant is None or self.grant.may_publish

    # --- what it is told of its own connection

    def expiring(self, expires_in_ms: int) -> None:
        """Tell it that its token ends soon."""
        self._notify(notices.expiring(expires_in_ms))

    def missed(self, cursor: int) -> None:
        """Tell it that it was too far behind, and goes on after ``cursor``: what lay before is lost to it."""
        self._notify(notices.gap(Reason.LAGGING, cursor))

    def _notify(self, notice: Notice) -> None:
        """Tell it so; in a protocol without words for that, nothing: whatever was said would be a message."""

    # --- what the room asks beside the outbox (see relay.member.Member)

    def announce(self, frames: Sequence[bytes]) -> None:
        """Say nothing of who comes and goes, likewise."""

    def finish(self, reason: Reason) -> None:
        """Say goodbye: all that was owed has been written."""
        self._say_goodbye(reason)

    def overflowed(self, reason: Reason, behind: Behind | None) -> None:
        """Say goodbye to one that fell too far behind, or for whom nothing can be held."""
        self._behind = behind
        self._count_closed_by("lag_max_bytes" if reason is Reason.LAGGING else "lag_total_max_bytes")
        self._say_goodbye(reason)

    def fail(self) -> None:
        """Say goodbye for a fault of ours, without what was owed: who knows what of it is right."""
        self._stage = Stage.CLOSING
        self._close_reason = Reason.INTERNAL
        # Whatever it was to be told.
        self._goodbye = None
        self._is_peer_done = True
        if self._is_waiting:
            # A goodbye would have to wait for bytes that may never be taken.
            self._close(Reason.INTERNAL)
        else:
            self._say_goodbye(Reason.INTERNAL)

    def cut(self, reason: Reason) -> None:
        """Close it now: it takes nothing, or there is no time or memory left."""
        if reason is Reason.OVERLOADED and self.is_in_room:
            self._count_closed_by("lag_total_max_bytes")
        self._close(reason)

    # --- the end

    def dismiss(self, reason: Reason, detail: str = "", *, retry_after_ms: int | None = None) -> None:
        """Close it behind what it is owed, and read no more. See ``keepalive.LiveMember``.

        The first call decides: a member that is parting already goes on as it was told.
        """
        self._part_with(Goodbye.of(reason, detail, retry_after_ms))

    def _part_with(self, goodbye: Goodbye) -> None:
        if self._stage is not Stage.OPEN:
            return
        self._stage = Stage.PARTING
        self._goodbye = goodbye
        self._close_reason = goodbye.reason
        self._reader.stop()
        self._membership.hub.part(self._room, self, goodbye.reason)

    def _say_goodbye(self, reason: Reason) -> None:
        self._stage = Stage.CLOSING
        self._close_reason = reason
        self._write_close(self._last_words(self._goodbye or Goodbye.of(reason)))
        after(self._membership.close_timeout_s, self._expire)
        # To notice the peer's half of the closing handshake, or its end.
        self._reader.start(self._readable)
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
        if was_in_room:
            self._behind = self._room.laggards.behind(self)
        traffic = kernel.traffic(self._raw)
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
            goodbye = None if was_in_room else self._goodbye or Goodbye.of(reason)
            self._membership.closed(self, reason, Parted(goodbye, traffic, self._behind))

    def _count_closed_by(self, limit: str) -> None:
        self._membership.counters.limit_hits[limit, Action.CLOSED] += 1

    # --- what the outbox asks

    def _feed(self) -> None:
        if self.is_in_room:
            self._membership.hub.feed(self._room, self)

    def _begin_waiting(self) -> None:
        self._membership.keep_alive.watch(self)

    def _all_written(self) -> None:
        self._membership.keep_alive.unwatch(self)
        self._shut_down_if_done()

    # --- what only those know who speak with it

    def _prepare(self) -> None:
        """Set what only it has, beside what it was made of. Called once, while it is made."""

    @abstractmethod
    def ping(self) -> bool:
        """Ask for a sign of life. Returns whether silence means something now."""

    @abstractmethod
    def _begin_with(self, received: bytes) -> None:
        """Act on what came with the request already."""

    @abstractmethod
    def _last_words(self, goodbye: Goodbye) -> bytes:
        """Return what is said last, as it speaks."""
