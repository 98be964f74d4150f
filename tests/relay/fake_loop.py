"""An event loop and its clock, both driven by hand."""

from collections.abc import Callable

Turn = Callable[[], None]


class HandDrivenLoop:
    """Does what it was asked for when the test says so, and never by itself."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.soon_asked: list[Turn] = []
        self.timers: list[tuple[float, Turn]] = []

    # --- what the hub asks

    def clock(self) -> float:
        return self.now_s

    def soon(self, turn: Turn) -> None:
        self.soon_asked.append(turn)

    def later(self, delay_s: float, turn: Turn) -> None:
        self.timers.append((self.now_s + delay_s, turn))

    # --- what the test does

    def spend(self, seconds: float) -> Turn:
        """Return something to do that takes so long."""

        def work() -> None:
            self.now_s += seconds

        return work

    def end_turn(self) -> None:
        """The events of this turn are done: what was to come soon comes now."""
        asked, self.soon_asked = self.soon_asked, []
        for turn in asked:
            turn()

    def wait(self, seconds: float = 0.0) -> None:
        """Let time pass, then fire the timers that are due, the earliest first; not those that they ask for."""
        self.now_s += seconds
        # A nanosecond for what floating point loses.
        due_s = self.now_s + 1e-9
        due = sorted((timer for timer in self.timers if timer[0] <= due_s), key=lambda timer: timer[0])
        self.timers = [timer for timer in self.timers if timer[0] > due_s]
        for _, turn in due:
            turn()

    def fire_early(self) -> None:
        """Fire the timer that is to fire first, though its time has not come."""
        timer = min(self.timers, key=lambda timer: timer[0])
        self.timers.remove(timer)
        timer[1]()

    def timers_s(self) -> list[float]:
        """When the timers will fire, in seconds from now, rounded to a microsecond."""
        return sorted(round(at - self.now_s, 6) for at, _ in self.timers)

    def run_dry(self) -> None:
        """Go on until nothing is asked for any more."""
        while self.soon_asked or self.timers:
            self.end_turn()
            if self.timers:
                self.wait(max(min(self.timers_s()), 0.0))
