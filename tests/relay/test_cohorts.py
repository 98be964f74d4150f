from roomcast.relay.cohorts import Cohorts
from tests.relay.fake_wire import FakeMember, message
from tests.relay.room_steps import ANGLES, SQUARES


def test_members_stand_with_those_of_their_format() -> None:
    cohorts = Cohorts()
    angles, squares = FakeMember(ANGLES), FakeMember(SQUARES)

    cohorts.enter(angles)
    cohorts.enter(squares)

    assert {wire_format: list(cohort) for wire_format, cohort in cohorts.items()} == {
        ANGLES: [angles],
        SQUARES: [squares],
    }
    assert list(cohorts.members()) == [angles, squares]


def test_each_cohort_that_has_somebody_is_served_with_one_burst() -> None:
    cohorts = Cohorts()
    stays, leaves = FakeMember(ANGLES), FakeMember(SQUARES)
    cohorts.enter(stays)
    cohorts.enter(leaves)
    cohorts.leave(leaves)

    [service] = cohorts.services([message(1)], is_echoed=True)

    assert (service.burst.data, service.members) == (b"<1>", [stays])


def test_silent_member_is_one_of_all_and_served_nothing() -> None:
    cohorts = Cohorts()
    silent, listening = FakeMember(ANGLES), FakeMember(ANGLES)

    cohorts.enter_silent(silent)
    cohorts.enter(listening)

    assert (cohorts.is_silent(silent), cohorts.is_silent(listening)) == (True, False)
    assert set(cohorts.members()) == {silent, listening}
    assert [service.members for service in cohorts.services([message(1)], is_echoed=True)] == [[listening]]


def test_silent_members_leave_like_all_others() -> None:
    cohorts = Cohorts()
    first, second, listening = (FakeMember(ANGLES) for _ in range(3))
    cohorts.enter_silent(first)
    cohorts.enter_silent(second)
    cohorts.enter(listening)

    cohorts.leave(first)
    cohorts.leave(listening)

    assert list(cohorts.members()) == [second]
    assert not Cohorts().is_silent(first)
