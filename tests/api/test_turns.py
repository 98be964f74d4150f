from __future__ import annotations

import gevent
import pytest
from gevent.event import Event

from roomcast.api.turns import SLICE_S, Slices, take_turn, to_its_end
from tests.wire import HANG_S


def test_turn_is_over_when_the_loop_has_looked_at_everything_else() -> None:
    loop = gevent.get_hub().loop
    before = loop.iteration

    take_turn()

    assert loop.iteration > before


def test_work_pauses_when_a_slice_is_worked_off_and_not_before() -> None:
    times_s = [0.0, SLICE_S / 2, SLICE_S, 1.0, 1.0 + SLICE_S / 2, 1.0 + 2 * SLICE_S, 2.0]
    pauses: list[None] = []
    slices = Slices(clock=lambda: times_s.pop(0), pause=lambda: pauses.append(None))

    counts = []
    for _ in range(4):
        slices.end()
        counts.append(len(pauses))

    assert counts == [0, 1, 1, 2]
    assert times_s == []


def test_work_goes_on_to_its_end_though_nobody_waits_for_it_any_more() -> None:
    has_begun, may_end, has_ended = Event(), Event(), Event()

    def work() -> None:
        has_begun.set()
        may_end.wait()
        has_ended.set()

    waiting = gevent.spawn(to_its_end, work)
    has_begun.wait(HANG_S)
    waiting.kill()
    may_end.set()

    assert has_ended.wait(HANG_S)


def test_work_returns_what_it_returns_and_raises_what_it_raises(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    assert to_its_end(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        to_its_end(fail)
    assert capfd.readouterr() == ("", "")
