"""Many small steps, a few in each turn, whatever becomes of one of them."""

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from roomcast.relay.slices import SLICE_S, STEPS_PER_LOOK, Slices
from tests.relay.fake_loop import HandDrivenLoop


@pytest.fixture
def loop() -> HandDrivenLoop:
    return HandDrivenLoop()


@pytest.fixture
def faults() -> list[str]:
    return []


@pytest.fixture
def slices(loop: HandDrivenLoop, faults: list[str]) -> Slices:
    return Slices(loop, loop.clock, lambda error: faults.append(str(error)))


def steps(done: list[str], name: str, count: int, work: Callable[[], None] = lambda: None) -> list[Callable[[], None]]:
    def step(number: int) -> None:
        work()
        done.append(f"{name}{number}")

    return [partial(step, number) for number in range(count)]


def test_few_steps_are_done_at_once(loop: HandDrivenLoop, slices: Slices) -> None:
    done: list[str] = []

    slices.add(steps(done, "a", 3))

    assert (done, loop.timers) == (["a0", "a1", "a2"], [])


@pytest.mark.parametrize("count", [STEPS_PER_LOOK - 1, STEPS_PER_LOOK, STEPS_PER_LOOK + 1, 5 * STEPS_PER_LOOK])
def test_long_work_leaves_each_turn_after_its_slice_and_is_done_to_the_end(
    loop: HandDrivenLoop, slices: Slices, count: int
) -> None:
    done: list[str] = []

    slices.add(steps(done, "a", count, loop.spend(SLICE_S / STEPS_PER_LOOK)))
    at_once = len(done)
    loop.run_dry()

    assert at_once == min(count, STEPS_PER_LOOK)
    assert done == [f"a{number}" for number in range(count)]


def test_what_is_added_meanwhile_comes_after_it(loop: HandDrivenLoop, slices: Slices) -> None:
    done: list[str] = []
    slices.add(steps(done, "a", 2 * STEPS_PER_LOOK, loop.spend(SLICE_S / STEPS_PER_LOOK)))

    slices.add(steps(done, "b", 1))
    before = len(done)
    loop.run_dry()

    assert (before, done[-1]) == (STEPS_PER_LOOK, "b0")
    assert loop.timers == []


def test_step_that_fails_is_reported_and_the_next_is_done(slices: Slices, faults: list[str]) -> None:
    done: list[str] = []

    def fail() -> None:
        raise RuntimeError("a fault of ours")

    slices.add([fail, *steps(done, "a", 1)])

    assert (faults, done) == (["a fault of ours"], ["a0"])


def test_step_may_add_work(slices: Slices) -> None:
    done: list[str] = []

    slices.add([lambda: slices.add(steps(done, "b", 1)), *steps(done, "a", 1)])

    assert done == ["a0", "b0"]


def test_work_that_cannot_even_say_its_next_step_keeps_nobody_else_waiting_for_ever(
    loop: HandDrivenLoop, slices: Slices
) -> None:
    def broken() -> Iterator[Callable[[], None]]:
        yield loop.spend(SLICE_S)
        yield from steps([], "a", STEPS_PER_LOOK - 1)
        raise RuntimeError("a fault of ours")

    done: list[str] = []
    slices.add(broken())
    slices.add(steps(done, "b", 1))
    with pytest.raises(RuntimeError):
        loop.wait()
    loop.run_dry()

    assert done == ["b0"]
