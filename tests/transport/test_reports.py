"""Limits that are only reported: all is counted, little is said, and what is enforced stays so."""

from __future__ import annotations

from roomcast.logs import Record
from roomcast.policies.limits import MemberRate
from roomcast.transport.reports import SPOKEN_OF_EVERY_S, Occasion, Reports
from tests.diary import Diary
from tests.idle import idle_counters, idle_reports


class Spoken:
    """Reports on a clock in the test's hand, and what they have said."""

    def __init__(self, *limits: str) -> None:
        self.now_s = 0.0
        self.counters = idle_counters()
        self._diary = Diary()
        self.reports = Reports(limits, self.counters, self._diary.journal, lambda: self.now_s)

    def read(self) -> list[Record]:
        return self._diary.finish()


def test_limit_that_is_enforced_is_not_tolerated() -> None:
    spoken = Spoken("messages_per_s")

    assert not spoken.reports.tolerates("bytes_per_s")
    assert not any(spoken.counters.limit_hits.values())
    assert spoken.read() == []


def test_excess_is_counted_each_time_and_spoken_of_once_in_a_while() -> None:
    spoken = Spoken("messages_per_s")

    for now_s in (0.0, 1.0, SPOKEN_OF_EVERY_S - 0.1, SPOKEN_OF_EVERY_S, SPOKEN_OF_EVERY_S + 1):
        spoken.now_s = now_s
        assert spoken.reports.tolerates("messages_per_s")

    assert spoken.counters.limit_hits["messages_per_s", "reported"] == 5
    said = [(record["event"], record["level"], record["limit"], record["times"]) for record in spoken.read()]
    assert said == [
        ("limit exceeded, only reported", "warning", "messages_per_s", 1),
        ("limit exceeded, only reported", "warning", "messages_per_s", 3),
    ]


def test_one_limit_does_not_keep_another_from_being_spoken_of() -> None:
    spoken = Spoken("messages_per_s", "members_max")

    for limit in ("messages_per_s", "members_max", "messages_per_s", "members_max"):
        spoken.reports.tolerates(limit)

    assert [record["limit"] for record in spoken.read()] == ["messages_per_s", "members_max"]


def test_asking_whether_a_limit_is_only_reported_counts_nothing() -> None:
    spoken = Spoken("members_max")

    assert "members_max" in spoken.reports
    assert "rooms_max" not in spoken.reports
    assert not any(spoken.counters.limit_hits.values())


def exhausted() -> MemberRate:
    """Return a rate of which neither a message nor a byte is left."""
    rate = MemberRate(messages_per_s=0.5, bytes_per_s=5)
    assert rate.admit(10, now_s=0.0) is None
    return rate


def test_message_is_stopped_by_the_limit_that_is_enforced_though_the_other_is_not() -> None:
    assert idle_reports().enforced(exhausted(), "messages_per_s", 1) == "messages_per_s"
    assert idle_reports("messages_per_s").enforced(exhausted(), "messages_per_s", 1) == "bytes_per_s"
    assert idle_reports("bytes_per_s").enforced(exhausted(), "messages_per_s", 1) == "messages_per_s"
    assert idle_reports("messages_per_s", "bytes_per_s").enforced(exhausted(), "messages_per_s", 1) is None


def test_what_happens_for_the_first_time_is_told_at_once_and_then_with_all_that_was_not() -> None:
    occasion = Occasion()

    told = [occasion.times_to_tell(now_s) for now_s in (5.0, 6.0, 5.0 + SPOKEN_OF_EVERY_S, 6.0 + SPOKEN_OF_EVERY_S)]

    assert told == [1, 0, 2, 0]
