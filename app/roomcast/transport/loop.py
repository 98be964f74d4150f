"""What the relay needs of gevent's event loop, and what it must be spared.

Two habits of the loop are kept in mind here and by all who use it:

* An io watcher whose callback raises is stopped for good: a member would be
  deaf. So whoever starts one lets nothing escape from its callback.
* A timer object that has fired once and is started again may fire at once, and
  one that is started late in a turn counts from the turn's begin, unless the
  loop's time is updated. So each delay has a timer of its own.
"""

from collections.abc import Callable
from typing import Protocol, cast

from gevent.hub import get_hub


class Watcher(Protocol):
    """What is used of gevent's watchers."""

    active: bool

    def start(self, callback: Callable[..., object], *args: object) -> None:
        """Call ``callback`` at each event from now on."""

    def stop(self) -> None:
        """Call nothing more."""

    def close(self) -> None:
        """Give back what it holds; not to be used afterwards."""


class Stream(Protocol):
    """What members use of a non-blocking socket, be it the system's or one of TLS."""

    @property
    def family(self) -> int:
        """Of which kind its addresses are."""

    def fileno(self) -> int:
        """Return its descriptor."""

    def recv(self, size: int, /) -> bytes:
        """Return what has arrived, b"" at the end. Raises BlockingIOError where that is nothing, and OSError."""

    def send(self, data: bytes | memoryview, /) -> int:
        """Write, and return how much was taken. Raises likewise."""

    def getsockopt(self, level: int, option: int, size: int, /) -> bytes:
        """Return an option of the system's socket."""

    def setsockopt(self, level: int, option: int, value: bytes, /) -> None:
        """Set an option of the system's socket."""

    def shutdown(self, how: int, /) -> None:
        """End a side of the connection. Raises OSError."""

    def close(self) -> None:
        """Give the descriptor back."""


READABLE, WRITABLE = 1, 2
"""The events of libev that ``watcher`` takes."""


def watcher(descriptor: int, events: int) -> Watcher:
    """Return a watcher of a descriptor on this thread's loop, not started."""
    return cast(Watcher, get_hub().loop.io(descriptor, events))


class LoopScheduler:
    """Gives the relay its turns on the event loop of this thread. See ``relay.scheduler.Scheduler``."""

    def __init__(self) -> None:
        self._loop = get_hub().loop

    def soon(self, turn: Callable[[], None]) -> None:
        """Call ``turn`` when the events of this turn are done, before the loop waits again."""
        # Once per turn at most. Chained, such callbacks are run fifty at a
        # time before any input, and 150 ms of silence was seen.
        self._loop.run_callback(turn)

    def later(self, delay_s: float, turn: Callable[[], None]) -> None:
        """Call ``turn`` after ``delay_s``, with other events in between."""
        after(delay_s, turn)


def after(delay_s: float, callback: Callable[[], None]) -> None:
    """Call ``callback`` once, ``delay_s`` from now. Nothing calls it off: let it ask whether it is still wanted."""
    timer = get_hub().loop.timer(delay_s)
    # The loop holds an active timer, and drops it after the call.
    timer.start(callback, update=True)
