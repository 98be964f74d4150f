"""How long all who have something to be read or written may keep the loop, before it looks at anything else.

The loop calls everybody whose bytes have come, one after another. What one of them
costs is bounded, and a thousand at once were not: as many members of one address,
which is what it may have, sent 16 KiB of the smallest messages each and kept everybody
waiting for 2 s; a thousand heads of requests, or handshakes of TLS, for 0.8 s.

So in each turn of the loop there are ``TURN_S`` for all of them. Whoever comes later
lines up, and is served in one of the next turns. There are two lines, with as long again
for each in every turn: one of members who were just about to be read, and one of those
who had more to say than was read of them, and of handshakes. So whoever says little
does not stand behind a thousand who say much. And the longer the lines are, the less is
read at a time.

Those who are written to share another ``TURN_S``. A thousand laggards that all begin to
read again were turns of 0.3 s. They need no line: the loop calls them again in the next
turn, and whoever was served has a full buffer, and is not called.
"""

from collections import deque
from collections.abc import Callable
from typing import Protocol, cast

from gevent.hub import Waiter, get_hub

from roomcast.transport.loop import after

TURN_S = 0.003
"""About what one read of the smallest messages takes."""

# What all who stand in line may read in one round: about 50 ms of the smallest messages.
# With less than the minimum the call costs more than what it brings.
_ROUND_BYTES = 262_144
_SHARE_MIN_BYTES = 256


class _CountingLoop(Protocol):
    iteration: int
    """How often it has looked for events."""


class Turn:
    """The turn of this thread's loop that is going on, and the time that some share of it.

    Args:
        clock: Seconds from a clock that never goes back.
    """

    __slots__ = ("_clock", "_iteration", "_loop", "_started_s")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._loop = cast(_CountingLoop, get_hub().loop)
        # When the first of them came in this turn, and in which turn that was.
        self._iteration = -1
        self._started_s = 0.0

    def is_over(self) -> bool:
        """Tell whether the time is up. Asked by each of them who is about to do something."""
        # The loop counts its turns: to be told of each would cost a call in each.
        if self._loop.iteration != self._iteration:
            self._iteration = self._loop.iteration
            self._started_s = self._clock()
            return False
        return self._clock() - self._started_s > TURN_S


class Turns(Turn):
    """The turn, as those share it who read from the public door, and the lines for those to come.

    Args:
        clock: As above.
    """

    __slots__ = ("_is_asked_for", "_long_line", "_short_line")

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self._short_line: deque[Callable[[], object]] = deque()
        self._long_line: deque[Callable[[], object]] = deque()
        self._is_asked_for = False

    def line_up(self, callback: Callable[[], object], *, is_long: bool) -> None:
        """Call ``callback`` in a later turn.

        Args:
            callback: Must not raise, and has to ask whether it is still wanted.
            is_long: Whether it may take long, and others should be served before it.
        """
        (self._long_line if is_long else self._short_line).append(callback)
        self._ask()

    def wait(self) -> None:
        """Line up as a greenlet: return in a later turn."""
        waiter: Waiter[None] = Waiter()
        # Of one that was interrupted meanwhile, nothing is switched to.
        self.line_up(lambda: waiter.switch(None), is_long=True)
        waiter.get()

    def share_bytes(self, most_bytes: int) -> int:
        """Return how much one who stood in a line may read: ``most_bytes`` while they are short."""
        others = len(self._short_line) + len(self._long_line)
        return min(most_bytes, max(_ROUND_BYTES // (others + 1), _SHARE_MIN_BYTES))

    def _ask(self) -> None:
        if not self._is_asked_for:
            self._is_asked_for = True
            after(0.0, self._serve)

    def _serve(self) -> None:
        self._is_asked_for = False
        try:
            for line in (self._short_line, self._long_line):
                self._serve_line(line)
        finally:
            if self._short_line or self._long_line:
                self._ask()

    def _serve_line(self, line: deque[Callable[[], object]]) -> None:
        started_s = self._clock()
        while line and self._clock() - started_s < TURN_S:
            line.popleft()()
