"""How the relay asks the event loop for a turn: it knows none."""

from collections.abc import Callable
from typing import Protocol


class Scheduler(Protocol):
    """Whoever runs the loop."""

    def soon(self, turn: Callable[[], None]) -> None:
        """Call ``turn`` once, when the events of this turn are done."""

    def later(self, delay_s: float, turn: Callable[[], None]) -> None:
        """Call ``turn`` once, after ``delay_s``, and after other events had their chance."""
