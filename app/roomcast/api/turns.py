"""Giving the loop back in the middle of long work, and how that is done so that others have their turn.

Everything in this process shares one loop. A batch of ten thousand messages, or a
list of ten thousand members, holds it for as long as it takes; in pieces, with
others' turns in between, nobody notices.
"""

import time
from collections.abc import Callable
from typing import Final, TypeVar

from gevent import sleep, spawn

T = TypeVar("T")

# As good as nothing, but not nothing: a sleep of 0 is a callback, and the loop runs
# fifty of those before it looks at a socket.
_TURN_S: Final = 0.000_001
# What the hub takes for flushing, too: long enough that going on costs nothing beside it.
SLICE_S: Final = 0.002


def take_turn() -> None:
    """Come back when the loop has looked at everything else once."""
    sleep(_TURN_S)


def to_its_end(work: Callable[[], T]) -> T:
    """Return what ``work`` returns, or raise what it raises.

    It goes on to its end in a greenlet of its own, whatever becomes of the caller: a
    request that has run out of time ends at the next pause, and would leave half of
    its messages unsent.
    """
    results: list[T] = []
    error = spawn(_try, work, results).get()
    if error is not None:
        raise error
    return results[0]


def _try(work: Callable[[], T], results: list[T]) -> Exception | None:
    # A greenlet that raises is a fault of ours, and is reported as one.
    try:
        results.append(work())
    except Exception as error:
        return error
    return None


class Slices:
    """Cuts long work into pieces of about ``SLICE_S``.

    Args:
        clock: Seconds, from a clock that never goes back.
        pause: Lets others have their turn.
    """

    __slots__ = ("_clock", "_pause", "_until_s")

    def __init__(self, clock: Callable[[], float] = time.monotonic, pause: Callable[[], None] = take_turn) -> None:
        self._clock = clock
        self._pause = pause
        self._until_s = clock() + SLICE_S

    def end(self) -> None:
        """Pause if a piece has been worked off. Anything may have changed meanwhile."""
        if self._clock() >= self._until_s:
            self._pause()
            self._until_s = self._clock() + SLICE_S
