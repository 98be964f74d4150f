"""What is used of gevent's loop, and that it keeps what we rely on."""

from __future__ import annotations

import socket
from time import monotonic

import pytest
from gevent.event import Event

from roomcast.transport.loop import READABLE, WRITABLE, LoopScheduler, after, watcher

HANG_S = 20


def test_watcher_calls_at_each_event_until_it_is_stopped() -> None:
    ours, theirs = socket.socketpair()
    called = Event()
    with ours, theirs:
        reader = watcher(ours.fileno(), READABLE)
        reader.start(called.set)
        for _ in range(2):
            theirs.send(b"x")
            assert called.wait(HANG_S)
            called.clear()
            assert ours.recv(1) == b"x"
        reader.stop()
        assert not reader.active

        writer = watcher(ours.fileno(), WRITABLE)
        writer.start(called.set)
        assert called.wait(HANG_S)
        for one in (reader, writer):
            one.stop()
            one.close()


@pytest.mark.parametrize("delay_s", [0.0, 0.05])
def test_delay_is_kept_from_now_and_called_once(delay_s: float) -> None:
    called = Event()
    calls = []

    def call() -> None:
        calls.append(monotonic())
        called.set()

    began_s = monotonic()
    after(delay_s, call)

    assert called.wait(HANG_S)
    assert len(calls) == 1
    # libev's clock may be a millisecond behind ours.
    assert calls[0] - began_s >= delay_s - 0.002


def test_turn_that_is_asked_for_soon_comes_before_one_that_is_asked_for_later() -> None:
    scheduler = LoopScheduler()
    order: list[str] = []
    done = Event()

    def later() -> None:
        order.append("later")
        done.set()

    scheduler.later(0.0, later)
    scheduler.soon(lambda: order.append("soon"))

    assert done.wait(HANG_S)
    assert order == ["soon", "later"]
