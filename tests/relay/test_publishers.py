from hypothesis import given
from hypothesis import strategies as st

from roomcast.relay.counters import TemplateCounters
from roomcast.relay.publishers import PausedPublishers
from tests.relay.fake_wire import BracketFormat, FakeMember


def test_each_publisher_is_paused_once_and_resumed_once() -> None:
    counters = TemplateCounters("rooms")
    paused, publisher = PausedPublishers(counters), FakeMember(BracketFormat())

    paused.pause(publisher)
    paused.pause(publisher)
    while_paused = (publisher.is_paused, bool(paused), counters.publishers_paused)
    paused.resume_all()

    assert while_paused == (True, True, 1)
    assert (publisher.is_paused, bool(paused), counters.publishers_paused) == (False, False, 0)


def test_publisher_that_is_forgotten_is_not_resumed_with_the_others() -> None:
    counters = TemplateCounters("rooms")
    paused, leaving, staying = PausedPublishers(counters), FakeMember(BracketFormat()), FakeMember(BracketFormat())
    paused.pause(leaving)
    paused.pause(staying)

    paused.forget(leaving)
    paused.forget(leaving)
    paused.resume_all()

    assert (leaving.is_paused, staying.is_paused) == (True, False)
    assert counters.publishers_paused == 0


@given(st.lists(st.tuples(st.sampled_from(["pause", "forget", "resume"]), st.integers(0, 2)), max_size=20))
def test_gauge_is_how_many_are_paused_and_nobody_else_is(steps: list[tuple[str, int]]) -> None:
    counters = TemplateCounters("rooms")
    paused, publishers = PausedPublishers(counters), [FakeMember(BracketFormat()) for _ in range(3)]
    expected: set[int] = set()

    for step, number in steps:
        if step == "pause":
            paused.pause(publishers[number])
            expected.add(number)
        elif step == "forget":
            paused.forget(publishers[number])
            # Its own reading is its own affair from now on.
            publishers[number].is_paused = False
            expected.discard(number)
        else:
            paused.resume_all()
            expected.clear()

        assert {number for number, one in enumerate(publishers) if one.is_paused} == expected
        assert (counters.publishers_paused, bool(paused)) == (len(expected), bool(expected))
