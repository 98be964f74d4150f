"""A native thread that notices when the event loop is away, and says what it is doing there.

A loop that is stuck cannot say so: nothing that needs it runs, no metric is
scraped, no journal is written. So a thread of the operating system looks at a time
that a timer of the loop keeps stamping. Too old, and it writes a log line to stderr
by itself, with the stack of the loop's thread: that names the call that blocks.

In the running relay gevent has replaced ``threading`` and ``time.sleep`` with
versions that need the loop, hence the originals below. What this cannot see is C
code that keeps the GIL: the thread is away as well then, and only tells afterwards.
"""

from __future__ import annotations

import os
import sys
import traceback
from time import monotonic, time
from typing import TYPE_CHECKING, Final

from gevent import get_hub
from gevent.monkey import get_original

from roomcast.logs import json_line, render

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Lock

    from gevent._types import _TimerWatcher

    from roomcast.logs import Level, Processor
    from roomcast.relay.counters import Histogram

_start_thread: Callable[[Callable[[], None], tuple[()]], int] = get_original("_thread", "start_new_thread")
_allocate_lock: Callable[[], Lock] = get_original("_thread", "allocate_lock")

# How often the thread looks before the threshold is reached: it is late by a quarter at most.
_LOOKS_PER_THRESHOLD: Final = 4
# stop() waits for a thread that may be writing to a stderr that nobody reads, and the loop waits with it.
_STOP_TIMEOUT_S: Final = 0.2


def write_to_stderr(text: bytes) -> None:
    """Write to file descriptor 2, whoever has replaced ``sys.stderr``; what it does not take is lost."""
    try:
        os.write(2, text)
    except OSError:
        # Closed, or non-blocking and full. A watchdog must not die of it.
        return


class Watchdog:
    """Watches the loop of the thread that makes it.

    Args:
        lag: Observes, in seconds, how late the loop ran each stamp.
        threshold_s: A loop that has not turned for longer is reported, once each time.
        period_s: How often the loop stamps. Ten times a second costs nothing measurable.
        chain: Makes a line of a record, as in the journal.
        write: Takes a line, in the watchdog's thread.
        clock: Returns seconds from a clock that never goes back.
    """

    def __init__(
        self,
        lag: Histogram,
        *,
        threshold_s: float = 1.0,
        period_s: float = 0.1,
        chain: tuple[Processor, ...] | None = None,
        write: Callable[[bytes], None] = write_to_stderr,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._lag = lag
        self._threshold_s = threshold_s
        self._period_s = period_s
        self._chain = chain or json_line()
        self._write = write
        self._clock = clock
        hub = get_hub()
        self._loop = hub.loop
        self._watched = hub.thread_ident
        self._timer: _TimerWatcher | None = None
        self._turned_at = self._clock()
        # Set by the loop when it is back, taken by the thread when it has said so.
        self._was_away_s = 0.0
        self._is_reported = False
        # Held while the thread has to go on, and while it does.
        self._going_on = _allocate_lock()
        self._alive = _allocate_lock()

    def start(self) -> None:
        """Begin to watch. Call it in the loop's thread, once the loop is about to run."""
        self._turned_at = self._clock()
        # Not a reason for a loop to run on that has nothing else to do.
        self._timer = self._loop.timer(self._period_s, self._period_s, ref=False)
        self._timer.start(self.stamp)
        self._going_on.acquire()
        self._alive.acquire()
        _start_thread(self._run, ())

    def stop(self) -> None:
        """End the thread, and wait until it has ended."""
        if self._timer is None:
            return
        self._timer.stop()
        self._timer.close()
        self._timer = None
        self._going_on.release()
        if self._alive.acquire(timeout=_STOP_TIMEOUT_S):
            self._alive.release()

    def stamp(self) -> None:
        """Note that the loop turns, and how late. The loop calls this, every ``period_s`` if it can."""
        now = self._clock()
        away_s = now - self._turned_at
        self._turned_at = now
        self._lag.observe(max(away_s - self._period_s, 0.0))
        if away_s > self._threshold_s:
            self._was_away_s = away_s

    def look(self) -> None:
        """Report a loop that is away, or one that is back. The thread calls this."""
        if self._was_away_s:
            self._report("loop turns again", "warning", away_s=round(self._was_away_s, 3))
            self._was_away_s = 0.0
            self._is_reported = False
        elif not self._is_reported and (away_s := self._clock() - self._turned_at) > self._threshold_s:
            self._report("loop stuck", "error", away_s=round(away_s, 3), stack=self._stack())
            self._is_reported = True

    def _run(self) -> None:
        # The lock becomes free when stop() lets go of it; until then this is our sleep.
        while not self._going_on.acquire(timeout=self._threshold_s / _LOOKS_PER_THRESHOLD):
            self.look()
        self._going_on.release()
        self._alive.release()

    def _stack(self) -> str:
        frame = sys._current_frames().get(self._watched)
        return "".join(traceback.format_stack(frame))

    def _report(self, event: str, level: Level, **fields: object) -> None:
        line = render({"timestamp": time(), "level": level, "event": event, **fields}, self._chain)
        self._write(f"{line}\n".encode(errors="backslashreplace"))
