"""Which lines of a flood are written, what is said of the others, and that none is forgotten."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from roomcast.logs import Journal, Level, Record
from roomcast.transport.lines import TELL_EVERY_S, Lines
from tests.idle import idle_counters
from tests.running import Serve, settings
from tests.wire import get


class Notebook(Journal):
    """Remembers at once what it is told."""

    def __init__(self, level: Level = "info") -> None:
        super().__init__(print, level=level)
        self.told: list[Record] = []

    def record(self, event: str, level: Level = "info", **fields: object) -> None:
        self.told.append({"event": event, "level": level, **fields})


class Flood:
    """Lines at a time of the test's own."""

    def __init__(self, lines_per_s: float, level: Level = "info") -> None:
        self.now_s = 0.0
        self.counters = idle_counters()
        self.calls: list[tuple[float, Callable[[], None]]] = []
        self.journal = Notebook(level)
        self.lines = Lines(self.journal, self.counters, lambda: self.now_s, self._later)
        self.lines.change(lines_per_s)

    def _later(self, delay_s: float, call: Callable[[], None]) -> None:
        self.calls.append((self.now_s + delay_s, call))

    def written(self, event: str, times: int) -> int:
        return sum([self.lines.admit(event, "warning") for _ in range(times)])

    def wait(self, seconds: float) -> None:
        self.now_s += seconds
        due = [call for at, call in self.calls if at <= self.now_s]
        self.calls = [(at, call) for at, call in self.calls if at > self.now_s]
        for call in due:
            call()


def test_flood_writes_twice_a_second_of_lines_and_then_so_many_each_second() -> None:
    flood = Flood(10)

    assert flood.written("refused", 100) == 20
    flood.wait(1.0)
    assert flood.written("refused", 100) == 10
    assert flood.counters.logs_sampled["refused"] == 170


def test_flood_is_told_of_once_and_costs_one_timer() -> None:
    flood = Flood(10)

    flood.written("refused", 1000)
    flood.written("joined", 1000)
    assert len(flood.calls) == 1
    flood.wait(TELL_EVERY_S)

    assert [(record["of"], record["lines"]) for record in flood.journal.told] == [("refused", 980), ("joined", 980)]


def test_events_have_a_rate_each() -> None:
    flood = Flood(10)
    flood.written("refused", 100)

    assert flood.written("joined", 5) == 5


def test_all_is_written_without_a_limit() -> None:
    flood = Flood(10)
    flood.lines.change(0)

    assert flood.written("left", 1000) == 1000


def test_lines_that_nobody_keeps_are_left_out_by_nobody() -> None:
    flood = Flood(1, "error")

    assert flood.written("refused", 100) == 100
    assert flood.counters.logs_sampled["refused"] == 0


STEP = st.tuples(st.sampled_from(["joined", "left", "refused"]), st.integers(0, 60), st.floats(0, 2))


@given(st.lists(STEP, max_size=20))
def test_what_is_not_written_is_counted_and_told_once(steps: list[tuple[str, int, float]]) -> None:
    flood = Flood(7)
    asked = written = 0
    for event, times, pause_s in steps:
        asked += times
        written += flood.written(event, times)
        flood.wait(pause_s)
    flood.wait(TELL_EVERY_S)

    assert asked - written == sum(flood.counters.logs_sampled.values())
    told = [record["lines"] for record in flood.journal.told if record["event"] == "lines left out"]
    assert sum(told) == asked - written


def test_flood_of_refusals_is_a_few_lines_and_true_counts(serve: Serve) -> None:
    relay = serve("[log]\nlines_per_s = 2\n")
    for _ in range(30):
        relay.ask(get("/nothing"))

    told = relay.diary.wait_for("lines left out", of="refused")
    left_out = relay.metric('roomcast_logs_sampled_total{event="refused"}')

    assert relay.metric('roomcast_handshakes_total{dialect="none",outcome="not_found"}') == 30
    assert len(relay.records("refused")) + left_out == 30
    assert told["lines"] <= left_out
    assert left_out > 15


def test_rate_is_changed_by_a_reload(serve: Serve) -> None:
    relay = serve("[log]\nlines_per_s = 1\n")
    relay.reload(settings("[log]\nlines_per_s = 0\n"))
    for _ in range(10):
        relay.ask(get("/nothing"))

    assert relay.metric('roomcast_logs_sampled_total{event="refused"}') == 0


def test_relay_that_ends_has_told_of_all_who_left(serve: Serve) -> None:
    relay = serve("[log]\nlines_per_s = 1\n[server]\ndrain_s = 0")
    for _ in range(5):
        relay.join()

    relay.stop()

    records = relay.diary.read()
    told = [record["lines"] for record in records if (record["event"], record.get("of")) == ("lines left out", "left")]
    assert len([record for record in records if record["event"] == "left"]) + sum(told) == 5
