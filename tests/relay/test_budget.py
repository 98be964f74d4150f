"""What may be held for laggards: at which byte nobody more is kept, and at which somebody is shed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomcast.relay.budget import CALM_SHARE, LOOK_AFTER_BYTES, TIGHT_SHARE, Budget
from roomcast.relay.log import Log
from tests.relay.fake_wire import BracketFormat, FakeMember


def holding(held_bytes: int, limit_bytes: int = 1_000) -> Budget:
    budget = Budget(limit_bytes)
    budget.charge_log(Log(), held_bytes)
    return budget


@pytest.mark.parametrize(
    ("held_bytes", "is_tight", "is_full"),
    [(799, False, False), (800, True, False), (1_000, True, False), (1_001, True, True)],
)
def test_it_is_tight_from_80_percent_and_full_above_100(held_bytes: int, is_tight: bool, is_full: bool) -> None:
    budget = holding(held_bytes)

    assert (budget.is_tight, budget.is_full) == (is_tight, is_full)


@pytest.mark.parametrize(("then_bytes", "is_full"), [(701, True), (700, False)])
def test_what_was_full_is_full_and_tight_down_to_70_percent(then_bytes: int, is_full: bool) -> None:
    budget, log = Budget(1_000), Log()
    budget.charge_log(log, 1_001)

    budget.charge_log(log, then_bytes)

    assert (budget.is_full, budget.is_tight) == (is_full, is_full)


def test_without_a_limit_it_is_never_tight() -> None:
    budget = holding(1 << 50, limit_bytes=0)

    assert (budget.is_tight, budget.is_full) == (False, False)


def test_logs_and_members_are_one_sum_and_a_new_figure_replaces_the_old_one() -> None:
    budget, log, member = Budget(1_000), Log(), FakeMember(BracketFormat())
    budget.charge_log(log, 100)
    budget.charge_member(member, 20)
    together = budget.held_bytes

    budget.charge_log(log, 300)
    budget.charge_member(member, 5)
    changed = budget.held_bytes
    budget.charge_log(log, 0)
    budget.release_member(member)

    assert (together, changed, budget.held_bytes) == (120, 305, 0)
    assert budget.waiting == {}


def test_who_was_never_charged_is_released_in_vain() -> None:
    budget = Budget(1_000)

    budget.release_member(FakeMember(BracketFormat()))

    assert budget.held_bytes == 0


# --- the memory that is left


@pytest.mark.parametrize(
    ("left_bytes", "is_full", "is_spent"),
    [(10_000, False, False), (500, False, False), (499, True, False), (125, True, False), (124, True, True)],
)
def test_it_is_full_where_less_is_left_than_is_to_stay_free(left_bytes: int, is_full: bool, is_spent: bool) -> None:
    budget = Budget(1_000, lambda: left_bytes, reserve_bytes=500)
    budget.charge_log(Log(), 100)

    budget.look()

    assert (budget.is_full, budget.is_tight, budget.is_spent) == (is_full, is_full, is_spent)


def test_no_memory_left_is_full_though_nothing_is_held() -> None:
    budget = Budget(1_000, lambda: 499, reserve_bytes=500)

    budget.look()

    assert (budget.held_bytes, budget.is_full) == (0, True)


def test_memory_that_was_short_has_to_be_free_twice_over() -> None:
    left = [0]
    budget = Budget(1_000, lambda: left[0], reserve_bytes=500)
    budget.look()

    left[0] = 999
    budget.look()
    nearly = budget.is_full
    left[0] = 1_000
    budget.look()

    assert (nearly, budget.is_full, budget.is_tight, budget.is_spent) == (True, False, False, False)


def test_it_is_time_to_look_after_so_much_was_written_or_held() -> None:
    budget, log = Budget(1 << 30, lambda: 1 << 40), Log()

    budget.charge_log(log, LOOK_AFTER_BYTES)
    in_time = budget.unlooked_bytes
    budget.charge_log(log, 0)
    budget.charge_log(log, 1)
    late = budget.unlooked_bytes
    budget.look()

    assert (in_time, late, budget.unlooked_bytes) == (0, -1, LOOK_AFTER_BYTES)


@pytest.mark.parametrize("limit_bytes", [0, 1_000])
def test_nobody_looks_where_there_is_no_limit_or_nothing_to_see(limit_bytes: int) -> None:
    budget = Budget(limit_bytes, None if limit_bytes else lambda: -1)

    budget.look()

    assert budget.unlooked_bytes > 1 << 60
    assert not budget.is_full


# Whatever is charged


@given(
    limit_bytes=st.sampled_from([0, 100]),
    steps=st.lists(st.tuples(st.sampled_from(["log", "member", "release"]), st.integers(0, 2), st.integers(0, 60))),
)
def test_what_is_held_is_the_sum_of_the_last_figures_and_fullness_has_a_memory(
    limit_bytes: int, steps: list[tuple[str, int, int]]
) -> None:
    budget = Budget(limit_bytes)
    logs, members = [Log() for _ in range(3)], [FakeMember(BracketFormat()) for _ in range(3)]
    held: dict[tuple[str, int], int] = {}
    is_full = False

    for step, number, size_bytes in steps:
        if step == "log":
            budget.charge_log(logs[number], size_bytes)
            held["log", number] = size_bytes
        elif step == "member":
            budget.charge_member(members[number], size_bytes)
            held["member", number] = size_bytes
        else:
            budget.release_member(members[number])
            held.pop(("member", number), None)

        total = sum(held.values())
        is_full = limit_bytes > 0 and total > limit_bytes * (CALM_SHARE if is_full else 1)
        assert (budget.held_bytes, budget.is_full) == (total, is_full)
        assert budget.is_tight == (is_full or (limit_bytes > 0 and total >= limit_bytes * TIGHT_SHARE))
        assert set(budget.waiting) == {members[number] for kind, number in held if kind == "member"}
