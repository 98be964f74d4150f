from __future__ import annotations

import json
import os
import subprocess
import sys
from queue import SimpleQueue
from threading import Event
from typing import Any

import gevent
import pytest

from roomcast.api.watchdog import Watchdog, write_to_stderr
from roomcast.logs import Processor, console_line
from roomcast.relay.counters import Histogram


class Scene:
    """A watchdog without its thread and its timer: the test is both, and the clock."""

    def __init__(self, chain: tuple[Processor, ...] | None = None) -> None:
        self.now_s = 100.0
        self.written = b""
        self.lag = Histogram((0.5, 1.0, 2.0))
        self.watchdog = Watchdog(
            self.lag, threshold_s=1.0, period_s=0.5, chain=chain, write=self._write, clock=lambda: self.now_s
        )

    def _write(self, line: bytes) -> None:
        self.written += line

    def look_at(self, now_s: float) -> list[dict[str, Any]]:
        """Return the records that the thread writes when it looks at this time."""
        self.now_s = now_s
        self.written = b""
        self.watchdog.look()
        return [json.loads(line) for line in self.written.splitlines()]

    def stamp_at(self, now_s: float) -> None:
        self.now_s = now_s
        self.watchdog.stamp()


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_loop_that_turns_is_not_worth_a_word(scene: Scene) -> None:
    scene.stamp_at(100.5)

    assert scene.look_at(101.5) == []


def test_loop_away_for_longer_than_the_threshold_is_reported_with_its_stack(scene: Scene) -> None:
    scene.stamp_at(100.5)

    [report] = scene.look_at(101.75)

    assert (report["level"], report["event"], report["away_s"]) == ("error", "loop stuck", 1.25)
    assert test_loop_away_for_longer_than_the_threshold_is_reported_with_its_stack.__name__ in report["stack"]


def test_one_stall_is_reported_once(scene: Scene) -> None:
    assert scene.look_at(101.25)

    assert scene.look_at(101.5) == []
    assert scene.look_at(200.0) == []


def test_end_of_a_stall_is_reported_with_its_length(scene: Scene) -> None:
    assert scene.look_at(101.25)
    scene.stamp_at(103.5)
    scene.stamp_at(103.75)

    [report] = scene.look_at(104.0)

    assert (report["level"], report["event"], report["away_s"]) == ("warning", "loop turns again", 3.5)
    assert scene.look_at(104.25) == []


def test_each_of_two_stalls_is_reported(scene: Scene) -> None:
    assert scene.look_at(101.25)
    scene.stamp_at(102.0)
    assert scene.look_at(102.25)

    [report] = scene.look_at(103.25)
    assert report["event"] == "loop stuck"


def test_stall_in_which_the_thread_could_not_run_either_is_reported_afterwards(scene: Scene) -> None:
    scene.stamp_at(105.0)

    [report] = scene.look_at(105.0)
    assert (report["event"], report["away_s"]) == ("loop turns again", 5.0)


def test_people_get_a_line_and_the_stack_below_it() -> None:
    scene = Scene(console_line(is_coloured=False))
    scene.now_s = 102.0

    scene.watchdog.look()

    line, *stack = scene.written.decode().splitlines()
    assert line.endswith("loop stuck away_s=2.0")
    assert any(test_people_get_a_line_and_the_stack_below_it.__name__ in frame for frame in stack)


def test_lag_is_how_much_later_than_its_period_a_stamp_comes(scene: Scene) -> None:
    scene.stamp_at(100.5)
    scene.stamp_at(102.0)
    scene.stamp_at(102.25)

    assert scene.lag.counts == [2, 1, 0, 0]
    assert scene.lag.sum == 1.0


def test_stuck_loop_is_reported_from_outside_of_it() -> None:
    reports: SimpleQueue[bytes] = SimpleQueue()
    is_reported = Event()

    def block_the_loop() -> None:
        # Natively: nothing that gevent runs can run now.
        is_reported.wait(timeout=30)

    def write(line: bytes) -> None:
        reports.put(line)
        is_reported.set()

    lag = Histogram((0.01,))
    watchdog = Watchdog(lag, threshold_s=0.05, period_s=0.01, write=write)
    watchdog.start()
    hub = gevent.get_hub()
    hub.loop.run_callback(block_the_loop)
    # Waits in a thread, so that the loop is free once it is free.
    stuck, back = (json.loads(hub.threadpool.apply(reports.get, kwds={"timeout": 30})) for _ in range(2))
    watchdog.stop()

    assert "in block_the_loop" in stuck["stack"]
    assert (back["event"], back["away_s"] >= stuck["away_s"]) == ("loop turns again", True)
    assert lag.counts[-1] >= 1


def test_watchdog_can_be_stopped_twice_and_started_again() -> None:
    reports: SimpleQueue[bytes] = SimpleQueue()
    watchdog = Watchdog(Histogram((1.0,)), threshold_s=0.02, period_s=0.01, write=reports.put)
    watchdog.stop()
    watchdog.start()
    watchdog.stop()
    watchdog.stop()

    watchdog.start()

    # No loop runs here: this thread waits natively.
    assert json.loads(reports.get(timeout=30))["event"] == "loop stuck"
    watchdog.stop()


# The real one: everything patched, the real threshold, stderr, and a call into C that blocks.
STUCK_RELAY = """
from gevent import monkey
monkey.patch_all()
import gevent
from roomcast.api.watchdog import Watchdog, write_to_stderr
from roomcast.relay.counters import Histogram

is_reported = monkey.get_original("queue", "SimpleQueue")()
reports = monkey.get_original("queue", "SimpleQueue")()

def ask_the_database():
    is_reported.get()

def write(line):
    write_to_stderr(line)
    is_reported.put(line)
    reports.put(line)

watchdog = Watchdog(Histogram((1.0,)), write=write)
watchdog.start()
hub = gevent.get_hub()
hub.loop.run_callback(ask_the_database)
hub.threadpool.apply(reports.get)
hub.threadpool.apply(reports.get)
watchdog.stop()
"""


def test_patched_process_whose_loop_is_stuck_for_over_a_second_writes_the_stack_to_stderr() -> None:
    relay = subprocess.run([sys.executable, "-c", STUCK_RELAY], capture_output=True, text=True, timeout=60, check=True)

    stuck, back = map(json.loads, relay.stderr.splitlines())
    assert (stuck["event"], back["event"]) == ("loop stuck", "loop turns again")
    assert "in ask_the_database" in stuck["stack"]
    assert 1 < stuck["away_s"] <= back["away_s"]


def test_stderr_that_nobody_reads_any_more_does_not_end_the_watch(capfd: pytest.CaptureFixture[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    stderr = os.dup(2)
    os.dup2(writer, 2)
    try:
        write_to_stderr(b"nobody reads this\n")
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(writer)

    write_to_stderr(b"somebody reads this\n")
    assert capfd.readouterr().err == "somebody reads this\n"
