"""From the settings to the goodbye of a relay."""

import random
import time

from roomcast.logs import Journal
from roomcast.metrics import TransportCounters
from roomcast.settings import Settings
from roomcast.transport.drain import Drain
from roomcast.transport.keepalive import KeepAlive


def build_drain(settings: Settings, members: KeepAlive, counters: TransportCounters, journal: Journal) -> Drain:
    """Return what will dismiss these members when the relay is told to stop."""
    return Drain(
        members,
        counters,
        journal,
        clock=time.monotonic,
        wall_clock=time.time,
        dice=random.random,
        drain_s=settings.server.drain_s,
        accept_per_s=settings.server.accept_per_s,
    )
