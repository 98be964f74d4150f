"""What one member is sent, and in which order it goes out.

The rest of the frame that is half written comes first, then a pong, then the
room's log from where this member stopped, and last the close frame. While
anything waits, ``offer`` takes nothing, so frames never interleave.

Nothing of the room's is kept here: of a burst that the kernel did not take
whole, a member holds a view of the one frame in which the write ended, and a
thousand stalled members hold the same bytes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from gevent.hub import get_hub

from roomcast.protocol.frames import Opcode
from roomcast.relay.reasons import Reason
from roomcast.transport import kernel
from roomcast.transport.loop import WRITABLE, Stream, Watcher, watcher

if TYPE_CHECKING:
    from roomcast.transport.membership import Membership


class Outbox(ABC):
    """The writing half of a member.

    Args:
        raw: Its socket, non-blocking.
        membership: What it shares with all other members.
    """

    __slots__ = (
        "_close_frame",
        "_is_dead",
        "_is_waiting",
        "_membership",
        "_pong",
        "_raw",
        "_tail",
        "_writer",
        "is_heard",
        "progress_s",
    )

    def __init__(self, raw: Stream, membership: Membership) -> None:
        self._raw = raw
        self._membership = membership
        # The keep-alive's: whether the peer gave a sign of life since it last
        # looked, and when it last took something of what it waits for.
        self.is_heard = True
        self.progress_s = 0.0
        # Made when it is first needed: most members never fall short.
        self._writer: Watcher | None = None
        # Whether something is unsent, or the member is dead: nothing may be offered.
        self._is_waiting = False
        self._is_dead = False
        self._tail: memoryview | None = None
        self._pong: bytes | None = None
        self._close_frame: bytes | None = None

    # --- what the room asks (see relay.member.Member)

    def offer(self, data: bytes) -> int:
        """Write what the kernel takes of ``data``, in one call."""
        if self._is_waiting:
            return -1 if self._is_dead else 0
        try:
            return self._raw.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            # Left to the end of the turn: the room may be in the middle of a pass.
            self._is_waiting = self._is_dead = True
            get_hub().loop.run_callback(self._close, Reason.GONE)
            return -1

    def hold(self, rest: memoryview) -> None:
        """Keep the unwritten rest of one frame."""
        self._tail = rest

    def want_write(self) -> None:
        """Wait until the socket takes bytes again."""
        if self._is_waiting:
            return
        self._is_waiting = True
        if self._writer is None:
            self._writer = watcher(self._raw.fileno(), WRITABLE)
        if not self._writer.active:
            self.progress_s = self._membership.clock()
            self._begin_waiting()
            self._writer.start(self._writable)

    def kernel_bytes(self) -> int:
        """Return what the kernel keeps of what was written, until the peer has acknowledged it."""
        return kernel.queued_bytes(self._raw)

    # --- what the keep-alive asks

    def acknowledged_bytes(self) -> int:
        """Return how much the peer has acknowledged so far."""
        return kernel.acknowledged_bytes(self._raw)

    # --- what is the member's own

    def _write(self, data: bytes) -> None:
        """Write bytes that are no room's. Only while nothing waits."""
        taken = self.offer(data)
        if taken < 0:
            return
        self._membership.counters.sent_bytes += taken
        if taken < len(data):
            self._tail = memoryview(data)[taken:]
            self.want_write()

    def _write_pongs(self, frames: list[bytes]) -> None:
        """Write pongs now, in one call: a peer may send thousands of pings at once.

        While something waits only the newest is kept, for its turn. That is
        all that RFC 6455 asks (5.5.3).
        """
        if not frames:
            return
        if self._is_waiting:
            self._pong = frames[-1]
        else:
            self._count_sent(Opcode.PONG, len(frames))
            self._write(b"".join(frames))

    def _write_close(self, frame: bytes) -> None:
        """Write the close frame now, or behind everything that waits."""
        if self._is_waiting:
            self._close_frame = frame
        else:
            self._count_sent(Opcode.CLOSE)
            self._write(frame)

    # --- the loop calls

    def _writable(self) -> None:
        try:
            if self._membership.write_turn.is_over():
                # It will be called again: nothing is taken, so it can still be written to.
                return
            self.is_heard = True
            self.progress_s = self._membership.clock()
            if self._write_own():
                self._go_on()
        except Exception as error:
            self._end_by_fault(error)

    def _write_own(self) -> bool:
        """Write what comes before the log, and the close frame that comes after it.

        Returns:
            Whether all of it is out.
        """
        while (rest := self._next_own()) is not None:
            try:
                taken = self._raw.send(rest)
            except BlockingIOError:
                self._tail = rest
                return False
            except OSError:
                self._close(Reason.GONE)
                return False
            self._membership.counters.sent_bytes += taken
            if taken < len(rest):
                self._tail = rest[taken:]
                return False
        return True

    def _next_own(self) -> memoryview | None:
        """Take what is to be written next."""
        if self._tail is not None:
            rest, self._tail = self._tail, None
            return rest
        if self._pong is not None:
            frame, self._pong = self._pong, None
            self._count_sent(Opcode.PONG)
        elif self._close_frame is not None:
            # It is made when the room owes nothing more, so all else is out.
            frame, self._close_frame = self._close_frame, None
            self._count_sent(Opcode.CLOSE)
        else:
            return None
        return memoryview(frame)

    def _go_on(self) -> None:
        """Go on from the log; stop waiting when there is nothing more."""
        self._is_waiting = False
        self._feed()
        if not self._is_waiting and self._writer is not None:
            self._writer.stop()
            self._all_written()

    # --- what only the whole member knows

    @abstractmethod
    def _feed(self) -> None:
        """Ask the room to go on; it offers more, or has nothing."""

    @abstractmethod
    def _count_sent(self, opcode: Opcode, frames: int = 1) -> None:
        """Count control frames that are being written."""

    @abstractmethod
    def _begin_waiting(self) -> None:
        """Something is unsent: the write deadline runs from now on."""

    @abstractmethod
    def _all_written(self) -> None:
        """Nothing is unsent any more."""

    @abstractmethod
    def _close(self, reason: Reason) -> None:
        """End: the connection is gone."""

    @abstractmethod
    def _end_by_fault(self, error: Exception) -> None:
        """End, because of a fault of ours."""
