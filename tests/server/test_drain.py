"""The goodbye of a relay, as its settings want it."""

from __future__ import annotations

from time import monotonic

from roomcast.server.drain import build_drain
from roomcast.transport.keepalive import KeepAlive
from tests.diary import Diary
from tests.idle import idle_counters, idle_hub
from tests.running import settings


def test_drain_has_the_time_and_the_pace_of_the_settings() -> None:
    hub = idle_hub()
    members = KeepAlive(hub=hub, clock=monotonic, ping_interval_s=0, pong_timeout_s=0, write_timeout_s=0, report=print)

    drain = build_drain(settings("[server]\ndrain_s = 7\naccept_per_s = 9"), members, idle_counters(), Diary().journal)

    assert (drain.drain_s, drain.accept_per_s) == (7, 9)
    members.stop()
