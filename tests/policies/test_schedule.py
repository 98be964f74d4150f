"""The plan of a drain: who goes when, who comes back when, and how many in any second."""

from __future__ import annotations

import random
from bisect import bisect_right

import pytest

from roomcast.policies.schedule import ENDING_S, Schedule


def comebacks(schedule: Schedule, dice: random.Random) -> list[float]:
    """Return when each member is to come back, in the order of dismissal."""
    return [schedule.comeback_s(place, dice.random()) for place in range(schedule.members)]


@pytest.mark.parametrize(
    ("members", "drain_s", "accept_per_s", "dismissal_s", "return_s", "back_s"),
    [
        (100, 8, 500, 0.2, 9.5, 9.7),
        (3000, 8, 500, 6, 9.5, 15.5),
        (3001, 8, 500, 6, 9.5, pytest.approx(15.502)),
        (30_000, 8, 500, 6, 9.5, 69.5),
        (600, 3600, 100, 6, 3601.5, 3607.5),
        (0, 8, 500, 0, 9.5, 9.5),
        (1000, 0, 500, 0, 1.5, 3.5),
    ],
)
def test_plan_follows_from_members_time_and_rate(
    members: int, drain_s: float, accept_per_s: int, dismissal_s: float, return_s: float, back_s: float
) -> None:
    schedule = Schedule(members, drain_s, accept_per_s)

    assert (schedule.dismissal_s, schedule.return_s, schedule.back_s) == (dismissal_s, return_s, back_s)


@pytest.mark.parametrize(("members", "accept_per_s"), [(1, 1), (500, 500), (501, 500), (3000, 250), (10_000, 999)])
@pytest.mark.parametrize("seed", range(3))
def test_any_second_holds_one_more_than_a_node_accepts_at_most(members: int, accept_per_s: int, seed: int) -> None:
    schedule = Schedule(members, 8, accept_per_s)

    back_s = comebacks(schedule, random.Random(seed))

    assert back_s == sorted(back_s)
    in_a_second = [bisect_right(back_s, begin_s + 1) - first for first, begin_s in enumerate(back_s)]
    assert max(in_a_second) <= accept_per_s + 1
    assert schedule.return_s <= back_s[0]
    assert back_s[-1] < schedule.back_s


def test_nobody_is_to_come_back_before_the_port_is_free() -> None:
    assert Schedule(10, 8, 500).comeback_s(0, 0.0) == 8 + ENDING_S


@pytest.mark.parametrize(
    ("elapsed_s", "due"), [(0, 1), (0.999, 500), (1, 501), (2, 1001), (5.9, 2951), (6, 3000), (100, 3000)]
)
def test_members_are_dismissed_no_faster_than_a_node_accepts(elapsed_s: float, due: int) -> None:
    assert Schedule(3000, 8, 500).due(elapsed_s) == due


@pytest.mark.parametrize(("elapsed_s", "due"), [(0, 1), (1, 5001), (3, 15_001), (6, 30_000)])
def test_more_members_than_there_is_time_for_are_dismissed_faster(elapsed_s: float, due: int) -> None:
    assert Schedule(30_000, 8, 500).due(elapsed_s) == due


@pytest.mark.parametrize("schedule", [Schedule(0, 8, 500), Schedule(70, 0, 500)], ids=["nobody", "no time"])
def test_without_members_or_time_all_are_due_at_once(schedule: Schedule) -> None:
    assert schedule.due(0) == schedule.members


def test_equally_long_away_are_all_where_there_is_time_to_dismiss_them_as_they_come_back() -> None:
    schedule = Schedule(3000, 8, 500)

    for place in (0, 1500, 2999):
        assert schedule.comeback_s(place, 0.0) - place / 500 == schedule.return_s


@pytest.mark.parametrize(
    ("refused", "elapsed_s", "wait_s"),
    # 1,000 members are back at 9.5 + 2 s.
    [(0, 0, 12), (0, 0.5, 11), (0, 11, 1), (0, 20, 1), (250, 0.5, 12), (1000, 0.5, 13), (29_999, 0.5, 71)],
)
def test_who_is_refused_lines_up_behind_the_members(refused: int, elapsed_s: float, wait_s: int) -> None:
    assert Schedule(1000, 8, 500).retry_after_s(refused, elapsed_s) == wait_s


def test_flood_of_refused_ones_sends_nobody_away_for_more_than_a_minute_longer() -> None:
    schedule = Schedule(1000, 8, 500)

    assert schedule.retry_after_s(30_000, 0.5) == schedule.retry_after_s(0, 0.5)
    assert schedule.retry_after_s(1_000_001, 0.5) <= schedule.retry_after_s(0, 0.5) + 60


def test_refused_ones_do_not_come_back_in_one_second() -> None:
    schedule = Schedule(1000, 8, 500)

    waits_s = [schedule.retry_after_s(refused, 0.0) for refused in range(3000)]

    assert max(map(waits_s.count, set(waits_s))) <= 501
