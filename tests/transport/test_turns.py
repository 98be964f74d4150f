"""Who is served in which turn of the loop."""

from __future__ import annotations

from time import monotonic

import gevent
import pytest
from gevent.event import Event
from gevent.hub import get_hub

from roomcast.transport.turns import TURN_S, Turns

HANG_S = 20
KIB = 1024


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Crowd:
    """Callbacks that take their time, by the clock, and note in which turn of the loop they were called."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.turns = Turns(self.clock)
        self.called: list[tuple[str, int]] = []
        self._left = 0
        self._all = Event()

    def line_up(self, name: str, *, takes_s: float = TURN_S, is_long: bool = False) -> None:
        def call() -> None:
            self.called.append((name, get_hub().loop.iteration))
            self.clock.now_s += takes_s
            self._left -= 1
            if not self._left:
                self._all.set()

        self._left += 1
        self.turns.line_up(call, is_long=is_long)

    def names(self) -> list[list[str]]:
        """Let the loop turn until all have been called; return their names, turn by turn."""
        assert self._all.wait(HANG_S)
        iterations = sorted({iteration for _, iteration in self.called})
        return [[name for name, one in self.called if one == iteration] for iteration in iterations]


def test_turn_is_over_when_its_time_is_up_and_the_next_one_is_not() -> None:
    clock = Clock()
    turns = Turns(clock)

    assert not turns.is_over()
    clock.now_s += TURN_S
    assert not turns.is_over()
    clock.now_s += 0.000_1
    assert turns.is_over()
    gevent.idle()
    assert not turns.is_over()


def test_time_in_which_nobody_read_is_nobodys() -> None:
    clock = Clock()
    turns = Turns(clock)
    turns.is_over()
    gevent.idle()
    clock.now_s += 10

    assert not turns.is_over()


def test_line_is_served_in_order_for_a_limited_time_in_each_turn() -> None:
    crowd = Crowd()
    for name in "abcd":
        crowd.line_up(name, takes_s=TURN_S / 2)

    assert crowd.names() == [["a", "b"], ["c", "d"]]


def test_one_who_says_little_does_not_stand_behind_many_who_say_much() -> None:
    crowd = Crowd()
    for name in "abc":
        crowd.line_up(name, is_long=True)
    crowd.line_up("short")

    assert crowd.names() == [["short", "a"], ["b"], ["c"]]


def test_the_short_line_does_not_keep_the_long_one_waiting() -> None:
    crowd = Crowd()
    for name in "ab":
        crowd.line_up(name)
    crowd.line_up("long", is_long=True)

    assert crowd.names() == [["a", "long"], ["b"]]


def test_whoever_lines_up_while_it_is_served_is_called_as_well() -> None:
    turns = Turns(monotonic)
    done = Event()
    turns.line_up(lambda: turns.line_up(done.set, is_long=False), is_long=False)

    assert done.wait(HANG_S)


def test_fault_of_one_is_not_that_of_those_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = Turns(monotonic)
    done = Event()
    faults: list[object] = []
    monkeypatch.setattr(get_hub(), "print_exception", lambda *fault: faults.append(fault[1]))

    turns.line_up(lambda: 1 // 0, is_long=False)
    turns.line_up(done.set, is_long=False)

    assert done.wait(HANG_S)
    assert faults == [ZeroDivisionError]


@pytest.mark.parametrize(
    ("others", "share_bytes"), [(0, 16 * KIB), (15, 16 * KIB), (31, 8 * KIB), (1023, 256), (5000, 256)]
)
def test_share_shrinks_with_the_lines_but_not_to_nothing(others: int, share_bytes: int) -> None:
    turns = Turns(monotonic)
    for number in range(others):
        turns.line_up(int, is_long=number % 2 == 0)

    assert turns.share_bytes(16 * KIB) == share_bytes


def test_greenlet_that_waits_goes_on_in_a_later_turn() -> None:
    turns = Turns(monotonic)
    before = get_hub().loop.iteration

    turns.wait()

    assert get_hub().loop.iteration > before


def test_greenlet_that_is_interrupted_while_it_waits_disturbs_nobody() -> None:
    turns = Turns(monotonic)
    waiting = gevent.spawn(turns.wait)
    gevent.idle()
    waiting.kill()

    turns.wait()
