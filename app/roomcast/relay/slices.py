"""Work of many small steps, done a few in each turn of the event loop.

To tell ten thousand members something, or to send them away, takes half a second. In
slices nobody else notices: between two of them the loop reads, writes and accepts. A
step that fails is reported, and the next one is done all the same.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from roomcast.relay.scheduler import Scheduler

Step = Callable[[], None]

# How long one slice may take: as long as the rooms may flush in a turn.
SLICE_S = 0.002
# How many steps are taken between two looks at the clock. A goodbye, which is the
# longest of them, is 70 µs.
STEPS_PER_LOOK = 8


class Slices:
    """What is to be done.

    Args:
        scheduler: Gives it its turns.
        clock: Returns seconds from a clock that never goes back.
        report: Called with a fault of ours.
    """

    __slots__ = ("_clock", "_report", "_scheduler", "_work")

    def __init__(self, scheduler: Scheduler, clock: Callable[[], float], report: Callable[[Exception], None]) -> None:
        self._scheduler = scheduler
        self._clock = clock
        self._report = report
        self._work: deque[Iterator[Step]] = deque()

    def add(self, steps: Iterable[Step]) -> None:
        """Do all these, the first of them now if nothing else waits. What a step is for may be gone by then."""
        self._work.append(iter(steps))
        if len(self._work) == 1:
            self._go_on()

    def _go_on(self) -> None:
        started_s = self._clock()
        try:
            while self._work and self._clock() - started_s < SLICE_S:
                some = list(islice(self._work[0], STEPS_PER_LOOK))
                for step in some:
                    self._take(step)
                if len(some) < STEPS_PER_LOOK:
                    self._work.popleft()
        finally:
            # Whatever happens: the others wait for their turns.
            if self._work:
                self._scheduler.later(0.0, self._go_on)

    def _take(self, step: Step) -> None:
        try:
            step()
        except Exception as error:
            self._report(error)
