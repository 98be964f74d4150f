"""The lines of those who come, go and are refused: as many a second as anybody can read, and how many more there were.

A flood of handshakes would write a flood of lines, which costs more than refusing them, and
buries what an operator looks for. So each of these events has so many a second, twice that
at once, and what is left out is counted and told. Nothing else that is logged goes through here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from roomcast.policies.limits import MemberRate
from roomcast.transport.loop import after

if TYPE_CHECKING:
    from collections.abc import Callable

    from roomcast.logs import Journal, Level
    from roomcast.metrics import TransportCounters

# How long what is left out is gathered before it is told: a second's is told in a line.
TELL_EVERY_S: Final = 1.0


class Lines:
    """Decides which of these lines are written.

    Args:
        journal: Told what was left out.
        counters: Where that is counted, by event.
        clock: Seconds from a clock that never goes back.
        later: Calls a function once, after so many seconds.
    """

    def __init__(
        self,
        journal: Journal,
        counters: TransportCounters,
        clock: Callable[[], float],
        later: Callable[[float, Callable[[], None]], None] = after,
    ) -> None:
        self._journal = journal
        self._counters = counters
        self._clock = clock
        self._later = later
        self._rates: dict[str, MemberRate] = {}
        # By event: the level of its lines, and how many have been left out and not told.
        self._untold: dict[str, tuple[Level, int]] = {}

    def change(self, lines_per_s: float) -> None:
        """Write so many a second of each event from now on, and twice that at once; 0: all."""
        self._rates = {}
        if lines_per_s:
            self._rates = {event: MemberRate(lines_per_s, 0) for event in self._counters.logs_sampled}

    def admit(self, event: str, level: Level) -> bool:
        """Tell whether a line is to be written; count it if not. Asked before it is made, which costs more."""
        rate = self._rates.get(event)
        if rate is None or not self._journal.keeps(level) or rate.admit(0, self._clock()) is None:
            return True
        self._counters.logs_sampled[event] += 1
        if not self._untold:
            self._later(TELL_EVERY_S, self.tell)
        self._untold[event] = level, self._untold.get(event, (level, 0))[1] + 1
        return False

    def tell(self) -> None:
        """Tell what was left out since it was told last. Once more at the end: no later turn will."""
        untold, self._untold = self._untold, {}
        for event, (level, lines) in untold.items():
            self._journal.record("lines left out", level, of=event, lines=lines, within_s=TELL_EVERY_S)
