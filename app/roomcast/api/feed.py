"""The numbers as a stream: one event a second, made once for everybody who looks.

Nobody has a queue. Who reads slowly waits in its own write, and sees the newest numbers
next; so a dashboard on a stalled phone costs one event, and the rest of the door nothing.

Source: HTML Living Standard, 9.2, "Server-sent events".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from gevent.lock import RLock

from roomcast.api.streams import BEGIN
from roomcast.protocol.event_stream import notice_event
from roomcast.protocol.notices import Notice

PERIOD_S: Final = 1.0


class Feed:
    """Makes the events, and hands the same bytes to all streams.

    Args:
        read: Returns the numbers, for JSON; may let others have their turn.
        clock: Returns seconds from a clock that never goes back.
        sleep: Waits that many seconds.
        period_s: Between two events.
    """

    def __init__(
        self,
        read: Callable[[], dict[str, Any]],
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], object],
        period_s: float = PERIOD_S,
    ) -> None:
        self._read = read
        self._clock = clock
        self._sleep = sleep
        self._period_s = period_s
        self._lock = RLock()
        self._made_at = -1
        self._event = b""

    def stream(self) -> Iterator[bytes]:
        """Yield what one client is sent: the numbers now, and then at the end of each period."""
        yield BEGIN
        while True:
            beat = int(self._clock() / self._period_s)
            yield self._event_of(beat)
            # Timers may fire early.
            while (rest_s := (beat + 1) * self._period_s - self._clock()) > 0:
                self._sleep(rest_s)

    def _event_of(self, beat: int) -> bytes:
        with self._lock:
            if beat > self._made_at:
                self._made_at = beat
                self._event = notice_event(Notice("stats", self._read()))
            return self._event
