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
