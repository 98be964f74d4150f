"""Finding the dead: pings, and the deadlines of those who say or take nothing.

No timer per member. All stand in a hundred buckets, each for life in one; a
repeating timer walks round, so that each bucket is visited once in
``ping_interval_s``: its members are pinged, and those of the bucket that
was pinged ``pong_timeout_s`` ago are closed if they stayed silent. Members that
wait to be writable are few, and looked at once a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from gevent.hub import get_hub

from roomcast.relay.reasons import Reason

if TYPE_CHECKING:
    from roomcast.relay.hub import Hub
    from roomcast.transport.websocket import WebSocketMember

_BUCKETS = 100
# With pings off, the buckets still hold the members, and nobody walks them.
_SWEEP_S = 1.0


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
        self._buckets: list[dict[WebSocketMember, None]] = [{} for _ in range(_BUCKETS)]
        self._next_bucket = 0
        # Those that wait to be writable.
        self._waiting: dict[WebSocketMember, None] = {}
        # Those that were pinged, by bucket: silence means something for them only.
        self._pinged: list[list[WebSocketMember]] = [[] for _ in range(_BUCKETS)]
        self._at = 0
        self._tick_s = ping_interval_s / _BUCKETS
        # In ticks, and always less than one round: else it would meet its own next ping.
        self._behind = min(max(round(pong_timeout_s / self._tick_s), 1), _BUCKETS - 1) if ping_interval_s else 1
        self._is_silence_fatal = pong_timeout_s > 0
        loop = get_hub().loop
        self._timers = []
        if ping_interval_s:
            self._timers.append((loop.timer(self._tick_s, self._tick_s), self.tick))
        self._timers.append((loop.timer(_SWEEP_S, _SWEEP_S), self.sweep))

    def start(self) -> None:
        """Begin to look after the members."""
        for timer, callback in self._timers:
            timer.start(self._guarded, callback)

    def stop(self) -> None:
        """Look no more."""
        for timer, _ in self._timers:
            timer.stop()
            timer.close()
        self._timers = []

    def __iter__(self) -> Iterator[WebSocketMember]:
        """All members, one bucket after another; a copy, so that they may leave meanwhile."""
        for bucket in self._buckets:
            yield from list(bucket)

    def __len__(self) -> int:
        return sum(map(len, self._buckets))

    def add(self, member: WebSocketMember) -> None:
        """Look after a newcomer."""
        member.bucket = self._next_bucket
        self._buckets[member.bucket][member] = None
        self._next_bucket = (self._next_bucket + 1) % _BUCKETS

    def remove(self, member: WebSocketMember) -> None:
        """Forget one that has ended."""
        self._buckets[member.bucket].pop(member, None)
        self._waiting.pop(member, None)

    def watch(self, member: WebSocketMember) -> None:
        """Mind the write deadline of a member that waits to be writable."""
        self._waiting[member] = None

    def unwatch(self, member: WebSocketMember) -> None:
        """It took what it was owed."""
        self._waiting.pop(member, None)

    def tick(self) -> None:
        """Ping the next bucket, and end those who did not answer the ping of an earlier visit."""
        late = (self._at - self._behind) % _BUCKETS
        pinged, self._pinged[late] = self._pinged[late], []
        for member in pinged:
            if self._is_silence_fatal and not member.is_heard:
                member.dismiss(Reason.PONG_TIMEOUT)
        self._pinged[self._at] = [member for member in list(self._buckets[self._at]) if member.ping()]
        self._at = (self._at + 1) % _BUCKETS

    def sweep(self) -> None:
        """End those who took nothing for too long, or whom their room has left behind."""
        oldest = self._clock() - self._write_timeout_s
        for member in list(self._waiting):
            if self._write_timeout_s and member.progress_s < oldest:
                member.cut(Reason.WRITE_TIMEOUT)
            elif member.is_in_room:
                self._hub.sweep(member.room, member)

    def _guarded(self, callback: Callable[[], None]) -> None:
        # gevent stops a timer whose callback raises: nobody would be pinged any more.
        try:
            callback()
        except Exception as error:
            self._report(error)
