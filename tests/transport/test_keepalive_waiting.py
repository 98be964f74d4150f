"""Those who wait to be written to: how long they may take nothing, and that a crowd of them is looked at in slices."""

from __future__ import annotations

from typing import cast

import pytest
from gevent.hub import get_hub

from roomcast.relay.reasons import Reason
from roomcast.relay.slices import SLICE_S, STEPS_PER_LOOK
from roomcast.transport.keepalive import TIGHT_TIMEOUT_S, KeepAlive, LiveMember
from tests.idle import idle_hub


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Waiting:
    """A member on its way out that waits, and takes so much when the test says so."""

    is_in_room = False

    def __init__(self, clock: Clock, cost_s: float = 0.0) -> None:
        self.progress_s = 0.0
        self.acknowledged = 1
        self.ending: Reason | None = None
        self.looks = 0
        self._clock = clock
        self._cost_s = cost_s

    def acknowledged_bytes(self) -> int:
        self.looks += 1
        self._clock.now_s += self._cost_s
        return self.acknowledged

    def kernel_bytes(self) -> int:
        return 1

    def cut(self, reason: Reason) -> None:
        self.ending = reason


@pytest.fixture
def clock() -> Clock:
    return Clock()


def keep_alive(clock: Clock, write_timeout_s: float) -> KeepAlive:
    def fail(error: Exception) -> None:
        raise AssertionError from error

    return KeepAlive(
        hub=idle_hub(),
        clock=clock,
        ping_interval_s=0,
        pong_timeout_s=0,
        write_timeout_s=write_timeout_s,
        report=fail,
    )


def watched(keeper: KeepAlive, clock: Clock, cost_s: float = 0.0) -> Waiting:
    member = Waiting(clock)
    keeper.watch(cast(LiveMember, member))
    member._cost_s = cost_s
    return member


@pytest.mark.parametrize(
    ("write_timeout_s", "is_tight", "waited_s", "ending"),
    [
        (30.0, False, 29.9, None),
        (30.0, False, 30.1, Reason.WRITE_TIMEOUT),
        (30.0, True, TIGHT_TIMEOUT_S - 0.1, None),
        (30.0, True, TIGHT_TIMEOUT_S + 0.1, Reason.WRITE_TIMEOUT),
        (2.0, True, 2.1, Reason.WRITE_TIMEOUT),
        (0.0, False, 10_000.0, None),
        (0.0, True, TIGHT_TIMEOUT_S + 0.1, Reason.WRITE_TIMEOUT),
    ],
)
def test_who_takes_nothing_goes_in_time_and_sooner_while_memory_is_short(
    clock: Clock, write_timeout_s: float, is_tight: bool, waited_s: float, ending: Reason | None
) -> None:
    keeper = keep_alive(clock, write_timeout_s)
    member = watched(keeper, clock)
    keeper._hub.budget.is_tight = is_tight

    clock.now_s = waited_s
    keeper._look_after(cast(LiveMember, member))

    assert member.ending is ending


@pytest.mark.parametrize(("write_timeout_s", "ending"), [(30.0, Reason.WRITE_TIMEOUT), (0.0, None)])
def test_who_cannot_be_seen_to_take_anything_has_its_whole_time_in_short_memory_too(
    clock: Clock, write_timeout_s: float, ending: Reason | None
) -> None:
    keeper = keep_alive(clock, write_timeout_s)
    member = watched(keeper, clock)
    member.acknowledged = 0
    keeper._hub.budget.is_tight = True

    clock.now_s = TIGHT_TIMEOUT_S + 0.1
    keeper._look_after(cast(LiveMember, member))
    before = member.ending
    clock.now_s += 30.1
    keeper._look_after(cast(LiveMember, member))

    assert (before, member.ending) == (None, ending)


def test_who_takes_something_has_its_whole_time_from_then_on(clock: Clock) -> None:
    keeper = keep_alive(clock, 30.0)
    member = watched(keeper, clock)
    for waited_s, acknowledged in ((1.0, 4096), (30.9, 4096), (31.1, 4096)):
        clock.now_s, member.acknowledged = waited_s, acknowledged
        before = member.ending
        keeper.sweep()

    assert (before, member.ending) == (None, Reason.WRITE_TIMEOUT)


def test_crowd_that_waits_is_looked_at_in_slices_and_no_second_sweep_begins_before_the_end(clock: Clock) -> None:
    keeper = keep_alive(clock, 0.0)
    members = [watched(keeper, clock, SLICE_S / STEPS_PER_LOOK) for _ in range(3 * STEPS_PER_LOOK)]
    before = sum(member.looks for member in members)

    keeper.sweep()
    keeper.sweep()
    at_once = sum(member.looks for member in members) - before
    get_hub().loop.timer(0.05).start(lambda: None)
    get_hub().join(timeout=0.2)

    assert at_once == STEPS_PER_LOOK
    assert sum(member.looks for member in members) - before == len(members)
    assert not keeper._is_sweeping
