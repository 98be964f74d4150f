from __future__ import annotations

import os
import re
import subprocess
import sys
from queue import SimpleQueue

import gevent
import pytest

from roomcast.api.watchdog import Watchdog, write_to_stderr
from roomcast.relay.counters import Histogram


class Scene:
    """A watchdog without its thread and its timer: the test is both, and the clock."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.reports: list[str] = []
        self.lag = Histogram((0.5, 1.0, 2.0))
        self.watchdog = Watchdog(
            self.lag,
            threshold_s=1.0,
            period_s=0.5,
            write=lambda report: self.reports.append(report.decode()),
            clock=lambda: self.now_s,
        )

    def look_at(self, now_s: float) -> list[str]:
        """Return what the thread writes when it looks at this time."""
        self.now_s = now_s
        self.reports.clear()
        self.watchdog.look()
        return self.reports

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

    line, stack = report.split("\n", 1)
    assert line == "level=error event=loop_stuck away_s=1.250"
    assert test_loop_away_for_longer_than_the_threshold_is_reported_with_its_stack.__name__ in stack


def test_one_stall_is_reported_once(scene: Scene) -> None:
    assert scene.look_at(101.25)

    assert scene.look_at(101.5) == []
    assert scene.look_at(200.0) == []


def test_end_of_a_stall_is_reported_with_its_length(scene: Scene) -> None:
    assert scene.look_at(101.25)
    scene.stamp_at(103.5)
    scene.stamp_at(103.75)

    assert scene.look_at(104.0) == ["level=warning event=loop_turns_again was_away_s=3.500\n"]
    assert scene.look_at(104.25) == []


def test_each_of_two_stalls_is_reported(scene: Scene) -> None:
    assert scene.look_at(101.25)
    scene.stamp_at(102.0)
    assert scene.look_at(102.25)

    assert "loop_stuck" in scene.look_at(103.25)[0]


def test_stall_in_which_the_thread_could_not_run_either_is_reported_afterwards(scene: Scene) -> None:
    scene.stamp_at(105.0)

    assert scene.look_at(105.0) == ["level=warning event=loop_turns_again was_away_s=5.000\n"]


def test_lag_is_how_much_later_than_its_period_a_stamp_comes(scene: Scene) -> None:
    scene.stamp_at(100.5)
    scene.stamp_at(102.0)
    scene.stamp_at(102.25)

    assert scene.lag.counts == [2, 1, 0, 0]
    assert scene.lag.sum == 1.0


def test_stuck_loop_is_reported_from_outside_of_it() -> None:
    reports: SimpleQueue[bytes] = SimpleQueue()
    during_the_stall: list[bytes] = []

    def block_the_loop() -> None:
        # Natively: nothing that gevent runs can run now.
        during_the_stall.append(reports.get(timeout=30))

    lag = Histogram((0.01,))
    watchdog = Watchdog(lag, threshold_s=0.05, period_s=0.01, write=reports.put)
    watchdog.start()
    hub = gevent.get_hub()
    hub.loop.run_callback(block_the_loop)
    afterwards = hub.threadpool.apply(reports.get, kwds={"timeout": 30})
    watchdog.stop()

    assert b"event=loop_stuck" in during_the_stall[0]
    assert b"in block_the_loop" in during_the_stall[0]
    assert b"event=loop_turns_again" in afterwards
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
    assert b"event=loop_stuck" in reports.get(timeout=30)
    watchdog.stop()


# The real one: everything patched, the real threshold, stderr, and a call into C that blocks.
STUCK_RELAY = """
from gevent import monkey
monkey.patch_all()
import gevent
from roomcast.api.watchdog import Watchdog, write_to_stderr
from roomcast.relay.counters import Histogram

reports = monkey.get_original("queue", "SimpleQueue")()

def ask_the_database():
    reports.get()

def write(report):
    write_to_stderr(report)
    reports.put(report)

watchdog = Watchdog(Histogram((1.0,)), write=write)
watchdog.start()
hub = gevent.get_hub()
hub.loop.run_callback(ask_the_database)
hub.threadpool.apply(reports.get)
watchdog.stop()
"""


def test_patched_process_whose_loop_is_stuck_for_over_a_second_writes_the_stack_to_stderr() -> None:
    relay = subprocess.run([sys.executable, "-c", STUCK_RELAY], capture_output=True, text=True, timeout=60, check=True)

    stuck = re.search(r"^level=error event=loop_stuck away_s=(\d+\.\d{3})\n", relay.stderr)
    back = re.search(r"^level=warning event=loop_turns_again was_away_s=(\d+\.\d{3})$", relay.stderr, re.MULTILINE)
    assert stuck is not None
    assert back is not None
    assert "in ask_the_database" in relay.stderr[stuck.end() : back.start()]
    assert 1 < float(stuck[1]) <= float(back[1])


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
