"""How a member is read: the other half of ``outbox.py``.

A bounded piece at a time, in turn with all others, and not at all while its room holds
it back. What the bytes mean is not known here: see ``inbox.py``.
"""

from __future__ import annotations

import socket
from abc import abstractmethod
from typing import TYPE_CHECKING

from roomcast.relay.reasons import Reason
from roomcast.transport.goodbyes import LATE_MAX_BYTES, LATE_READ_BYTES
from roomcast.transport.loop import READABLE, Stream, watcher
from roomcast.transport.outbox import Outbox
from roomcast.transport.stages import Stage

if TYPE_CHECKING:
    from roomcast.transport.membership import Membership

# The most that one wake-up reads: a fast sender must not keep the loop from
# everybody else. What is left wakes it again. As frames of the smallest size
# this is 3 ms of decoding; the 64 KiB that bigger messages would like are 13.
READ_BYTES = 16_384

# TCP_CLOSE of the kernel's list of states (tcp_states.h).
_TCP_CLOSE = 7

# Bound once, because an enum looks its members up at the price of a call, and
# these are asked for with every read.
_OPEN = Stage.OPEN
_HEARD = (Stage.OPEN, Stage.CLOSING)


class Reading(Outbox):
    """A member, as far as it is read.

    Args:
        raw: Its socket, non-blocking.
        membership: What it shares with all other members.
    """

    __slots__ = ("_held_since_s", "_is_peer_done", "_late_bytes", "_reader", "_stage")

    def __init__(self, raw: Stream, membership: Membership) -> None:
        super().__init__(raw, membership)
        self._stage = _OPEN
        self._reader = watcher(raw.fileno(), READABLE)
        # Since when its room has it not read, None where it is read.
        self._held_since_s: float | None = None
        # Whether nothing more is to be expected of the peer: it closed, or cannot be read on.
        self._is_peer_done = False
        # What has come since our goodbye.
        self._late_bytes = 0

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
        self._held_since_s = None
        self._membership.keep_alive.unmind(self)
        self._reader.start(self._readable)

    # --- the loop calls

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

    # --- what only the whole member knows

    @abstractmethod
    def cut(self, reason: Reason) -> None:
        """Close it now."""

    @abstractmethod
    def _take(self, data: bytes) -> None:
        """Act on what arrived."""

    @abstractmethod
    def _shut_down_if_done(self) -> None:
        """Shut our side down when both have said goodbye."""
