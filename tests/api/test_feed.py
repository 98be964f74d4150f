"""The numbers as a stream: once a period, made once for everybody."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count, islice
from typing import Any

from roomcast.api.feed import Feed


class Clock:
    """A clock that only sleepers move, and whose timers fire a little early."""

    def __init__(self, early_s: float = 0.0) -> None:
        self.now_s = 100.3
        self.slept_s: list[float] = []
        self._early_s = early_s

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(round(seconds, 6))
        self.now_s += max(seconds - self._early_s, 0.001)


def numbered() -> Callable[[], dict[str, Any]]:
    """Return a reader whose answers are numbered."""
    numbers = count(1)
    return lambda: {"number": next(numbers)}


def test_stream_begins_at_once_and_goes_on_at_the_end_of_each_period() -> None:
    clock = Clock()
    feed = Feed(numbered(), clock=lambda: clock.now_s, sleep=clock.sleep)

    pieces = list(islice(feed.stream(), 4))

    assert pieces == [
        b"retry: 2000\n\n",
        b'event: stats\ndata: {"number":1}\n\n',
        b'event: stats\ndata: {"number":2}\n\n',
        b'event: stats\ndata: {"number":3}\n\n',
    ]
    assert clock.slept_s == [0.7, 1.0]


def test_timer_that_fires_early_is_no_reason_for_an_event() -> None:
    clock = Clock(early_s=0.01)
    feed = Feed(numbered(), clock=lambda: clock.now_s, sleep=clock.sleep)

    list(islice(feed.stream(), 3))

    # Waited for once more, when it was woken 10 ms before the time.
    assert clock.slept_s[0] == 0.7
    assert clock.now_s >= 101.0


def test_all_streams_are_sent_the_same_bytes() -> None:
    clock = Clock()
    feed = Feed(numbered(), clock=lambda: clock.now_s, sleep=clock.sleep)
    first, second = feed.stream(), feed.stream()
    next(first), next(second)

    one, other = next(first), next(second)

    assert one is other


def test_who_reads_slowly_is_sent_the_newest_next() -> None:
    clock = Clock()
    feed = Feed(numbered(), clock=lambda: clock.now_s, sleep=clock.sleep)
    slow, fast = feed.stream(), feed.stream()
    list(islice(slow, 2))

    *_, newest = islice(fast, 6)

    assert next(slow) == newest
    assert json.loads(newest.partition(b"data: ")[2])["number"] == 5
