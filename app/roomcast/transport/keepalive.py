"""Finding the dead: pings, and the deadlines of those who say or take nothing.

No timer per member. All stand in a hundred buckets, each for life in one; a
repeating timer walks round, so that each bucket is visited once in
``ping_interval_s``: its members are pinged, and those of the bucket that
was pinged ``pong_timeout_s`` ago are closed if they stayed silent. Members that
wait to be writable are few, and looked at once a second.
"""

from collections.abc import Callable, Iterator
from functools import partial
from math import inf
from typing import Any, Protocol

from gevent.hub import get_hub

from roomcast.policies.grants import Grant
from roomcast.relay.hub import Hub
from roomcast.relay.member import Member
from roomcast.relay.reasons import Reason
from roomcast.relay.room import Room
from roomcast.relay.slices import Slices
from roomcast.transport.loop import LoopScheduler
from roomcast.transport.visit import Visit

_BUCKETS = 100
# What is left of write_timeout_s where the memory for laggards is short: a peer that is
# there at all acknowledges something in that time, wherever it is.
TIGHT_TIMEOUT_S = 5.0
# With pings off, the buckets still hold the members, and nobody walks them.
_SWEEP_S = 1.0


class UnreadMember(Protocol):
    """What is asked of one that is not read for a while."""

    @property
    def is_reset(self) -> bool:
        """Whether the peer has broken the connection, so that what it sent is lost, read or not."""

    def cut(self, reason: Reason) -> None:
        """Close it now."""


class LiveMember(Member, UnreadMember, Protocol):
    """What is asked here of a member, beside what a room asks."""

    bucket: int
    """Where it stands here. Never changes."""
    is_heard: bool
    """Whether the peer gave a sign of life since its last ping."""
    progress_s: float
    """When it last took something of what it waits for."""

    visit: Visit
    """How it came."""
    grant: Grant | None
    """What its token gives."""

    @property
    def dialect(self) -> str:
        """What it speaks."""

    @property
    def room(self) -> Room:
        """The room that it is in, or was."""

    def ping(self) -> bool:
        """Ask for a sign of life. Returns whether silence means something now."""

    def acknowledged_bytes(self) -> int:
        """Return how much the peer has acknowledged so far."""

    def dismiss(self, reason: Reason, detail: str = "", *, retry_after_ms: int | None = None) -> None:
        """Close it behind what it is owed.

        Args:
            reason: Why.
            detail: What its goodbye says beside the reason.
            retry_after_ms: When it may come back; None where nobody knows.
        """


class KeepAlive:
    """All members, and the clockwork that looks after them.

    Args:
        hub: Asked to sweep members that wait; see ``relay.room.Room.sweep``.
        clock: Seconds from a clock that never goes back.
        ping_interval_s: How often a member is pinged; 0: never.
        pong_timeout_s: How long after that it may stay silent; 0: for ever.
        write_timeout_s: How long a member may take nothing of what it is owed; 0: for ever.
        report: Called with a fault of ours; the clockwork goes on.
    """

    def __init__(
        self,
        *,
        hub: Hub,
        clock: Callable[[], float],
        ping_interval_s: float,
        pong_timeout_s: float,
        write_timeout_s: float,
        report: Callable[[Exception], None],
    ) -> None:
        self._hub = hub
        self._clock = clock
        self._write_timeout_s = write_timeout_s
        self._report = report
        self._buckets: list[dict[LiveMember, None]] = [{} for _ in range(_BUCKETS)]
        self._next_bucket = 0
        # Those that wait to be writable, and how much each had acknowledged when last seen to.
        self._waiting: dict[LiveMember, int] = {}
        # Those that are not read, because their room owes too much.
        self._unread: dict[UnreadMember, None] = {}
        # Those that were pinged, by bucket: silence means something for them only.
        self._pinged: list[list[LiveMember]] = [[] for _ in range(_BUCKETS)]
        self._at = 0
        self._slices = Slices(LoopScheduler(), clock, report)
        # Whether those that wait are being looked at.
        self._is_sweeping = False
        self._sweeping: Any = None
        self._ticking: Any = None
        self._set_pace(ping_interval_s, pong_timeout_s)

    def _set_pace(self, ping_interval_s: float, pong_timeout_s: float) -> None:
        self._pace = ping_interval_s, pong_timeout_s
        self._tick_s = ping_interval_s / _BUCKETS
        # In ticks, and always less than one round: else it would meet its own next ping.
        self._behind = min(max(round(pong_timeout_s / self._tick_s), 1), _BUCKETS - 1) if ping_interval_s else 1
        self._is_silence_fatal = pong_timeout_s > 0

    def start(self) -> None:
        """Begin to look after the members."""
        self._sweeping = self._repeat(_SWEEP_S, self.sweep)
        self._ticking = self._repeat(self._tick_s, self.tick)

    def _repeat(self, every_s: float, callback: Callable[[], None]) -> Any:
        if not every_s:
            return None
        timer = get_hub().loop.timer(every_s, every_s)
        timer.start(self._guarded, callback)
        return timer

    def stop(self) -> None:
        """Look no more."""
        _end(self._sweeping)
        _end(self._ticking)
        self._sweeping = self._ticking = None

    def change(self, *, ping_interval_s: float, pong_timeout_s: float, write_timeout_s: float) -> None:
        """Look after all members by other times from now on. Whose pong is awaited is pinged once more first."""
        self._write_timeout_s = write_timeout_s
        if (ping_interval_s, pong_timeout_s) == self._pace:
            # The clockwork goes on. Begun anew, it would not tick while somebody reloads again and again.
            return
        # They were pinged at another pace: how long ago, nobody could tell any more.
        self._pinged = [[] for _ in range(_BUCKETS)]
        self._set_pace(ping_interval_s, pong_timeout_s)
        if self._sweeping is not None:
            _end(self._ticking)
            self._ticking = self._repeat(self._tick_s, self.tick)

    def __iter__(self) -> Iterator[LiveMember]:
        """All members, one bucket after another; a copy, so that they may leave meanwhile."""
        for bucket in self._buckets:
            yield from list(bucket)

    def __len__(self) -> int:
        return sum(map(len, self._buckets))

    def add(self, member: LiveMember) -> None:
        """Look after a newcomer."""
        member.bucket = self._next_bucket
        self._buckets[member.bucket][member] = None
        self._next_bucket = (self._next_bucket + 1) % _BUCKETS

    def remove(self, member: LiveMember) -> None:
        """Forget one that has ended."""
        self._buckets[member.bucket].pop(member, None)
        self.unwatch(member)
        self._unread.pop(member, None)

    def watch(self, member: LiveMember) -> None:
        """Mind the write deadline of a member that waits to be writable, and what the kernel keeps for it."""
        self._waiting[member] = member.acknowledged_bytes()
        self._hub.budget.charge_member(member, member.kernel_bytes())

    def unwatch(self, member: LiveMember) -> None:
        """It took what it was owed."""
        if self._waiting.pop(member, None) is not None:
            self._hub.budget.release_member(member)

    def mind(self, member: UnreadMember) -> None:
        """Mind one that is not read: if it is reset meanwhile, nobody else would notice."""
        self._unread[member] = None

    def unmind(self, member: UnreadMember) -> None:
        """It is read again."""
        self._unread.pop(member, None)

    def tick(self) -> None:
        """Ping the next bucket, and end those who did not answer the ping of an earlier visit."""
        now, late = self._at, (self._at - self._behind) % _BUCKETS
        # First of all, so that a fault in here does not stop the clockwork at this bucket.
        self._at = (self._at + 1) % _BUCKETS
        pinged, self._pinged[late] = self._pinged[late], []
        for member in pinged:
            if self._is_silence_fatal and not member.is_heard:
                member.dismiss(Reason.PONG_TIMEOUT)
        self._pinged[now] = [member for member in list(self._buckets[now]) if member.ping()]

    def sweep(self) -> None:
        """End those who took nothing for too long, whom their room has left behind, or who were reset unread.

        In slices: ten thousand may wait, and end together.
        """
        if not self._is_sweeping:
            self._is_sweeping = True
            steps = [partial(self._look_after, member) for member in self._waiting]
            unread = [partial(self._look_for_reset, member) for member in self._unread]
            self._slices.add([*steps, *unread, self._end_sweep])
        self._hub.look()

    def _end_sweep(self) -> None:
        self._is_sweeping = False

    def _look_after(self, member: LiveMember) -> None:
        if member not in self._waiting:
            return
        if self._takes_nothing(member):
            member.cut(Reason.WRITE_TIMEOUT)
            return
        self._hub.budget.charge_member(member, member.kernel_bytes())
        if member.is_in_room:
            self._hub.sweep(member.room, member)

    def _look_for_reset(self, member: UnreadMember) -> None:
        if member in self._unread and member.is_reset:
            member.cut(Reason.GONE)

    def _takes_nothing(self, member: LiveMember) -> bool:
        """Whether a member has acknowledged nothing for so long that it has to go.

        That it was not writable says less: a slow one may need longer than that for the
        third of a buffer that the kernel wants free first.
        """
        acknowledged = member.acknowledged_bytes()
        if acknowledged != self._waiting[member]:
            self._waiting[member] = acknowledged
            member.progress_s = self._clock()
            return False
        timeout_s = self._write_timeout_s
        # Where nobody tells what is acknowledged, it is always 0, and five seconds are too short.
        if acknowledged and self._hub.budget.is_tight:
            # While memory is short, nobody else is let behind: whoever stands still keeps them out.
            timeout_s = min(timeout_s or inf, TIGHT_TIMEOUT_S)
        return timeout_s > 0 and self._clock() - member.progress_s > timeout_s

    def _guarded(self, callback: Callable[[], None]) -> None:
        # Whatever happens to one of them: the others want to be pinged, too.
        try:
            callback()
        except Exception as error:
            self._report(error)


def _end(timer: Any) -> None:
    if timer is not None:
        timer.stop()
        timer.close()
