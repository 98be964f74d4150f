"""A relay without an event loop, for tests that look at its counters and move no message."""

from __future__ import annotations

import time
from collections.abc import Callable

from roomcast.api.app import Access
from roomcast.api.guard import Guard
from roomcast.api.keys import Keyring
from roomcast.api.models import Planned
from roomcast.api.operations import no_requests
from roomcast.brokers.memory import MemoryBroker
from roomcast.logs import Journal, Record
from roomcast.metrics import RelayCollector, TransportCounters
from roomcast.policies.hosts import PrivateHosts
from roomcast.policies.revocations import Revocations
from roomcast.relay.budget import Budget
from roomcast.relay.busiest import Busiest
from roomcast.relay.history import Histories
from roomcast.relay.hub import Hub
from roomcast.relay.room import Room
from roomcast.settings.difference import Change
from roomcast.transport.drain import Drain
from roomcast.transport.keepalive import KeepAlive
from roomcast.transport.reports import Reports
from roomcast.transport.token_holders import TokenHolders


class NoTurns:
    """A scheduler for a hub in which nothing is said: nobody may ask it for a turn."""

    def soon(self, turn: Callable[[], None]) -> None:
        raise AssertionError("an idle hub asked for a turn")

    def later(self, delay_s: float, turn: Callable[[], None]) -> None:
        raise AssertionError(f"an idle hub asked for a turn in {delay_s} s")


def idle_hub(*templates: str, rooms_max: int = 0, busiest_rooms: int = 0) -> Hub:
    """Return a hub with counters for these templates, and no room."""
    hub = Hub(
        broker=lambda deliver: MemoryBroker(deliver, "idle", lambda: 0.0),
        scheduler=NoTurns(),
        clock=lambda: 0.0,
        wall_clock=lambda: 0.0,
        rooms_max=rooms_max,
        budget=Budget(),
        histories=Histories(),
        report=_fail,
        busiest=Busiest(busiest_rooms, lambda: 0.0) if busiest_rooms else None,
    )
    for template in templates:
        hub.add_template(template)
    return hub


def idle_counters() -> TransportCounters:
    """Return the counters of a public door that nobody has knocked at."""
    return TransportCounters(dialects=["rfc6455", "hixie76"], outcomes=["accepted", "origin"], streams=["sse"])


def idle_reports(*limits: str, counters: TransportCounters | None = None) -> Reports:
    """Return what says that these limits are only reported, to a log that nobody reads."""
    return Reports(limits, counters or idle_counters(), Journal(lambda record: None), lambda: 0.0)


def idle_token_holders() -> TokenHolders:
    """Return what looks after members with a token, of whom there are none."""
    journal = Journal(_fail_to_write)
    return TokenHolders(Revocations(), clock=lambda: 0.0, warn_s=0.0, leeway_s=0.0, journal=journal)


def idle_drain(members: KeepAlive, counters: TransportCounters, drain_s: float = 0.0, accept_per_s: int = 500) -> Drain:
    """Return what would say goodbye to these members, to a log that nobody reads."""
    return Drain(
        members,
        counters,
        Journal(lambda record: None),
        clock=time.monotonic,
        wall_clock=time.time,
        dice=lambda: 0.5,
        drain_s=drain_s,
        accept_per_s=accept_per_s,
    )


class NoFile:
    """A configuration that nobody has written down."""

    def reload(self) -> list[Change]:
        return []

    def plan(self, text: str) -> Planned:
        raise ValueError("there is no file that another could stand in for")


def idle_access(key: str = "") -> Access:
    """Return what the API of such a hub may do: look at its rooms, or with this key everything."""
    keyring = Keyring(key, [])
    return Access(
        Guard(keyring, PrivateHosts(), is_local=lambda: True), lambda room: None, idle_token_holders(), NoFile(), str
    )


def idle_collector() -> RelayCollector:
    """Return the collector of a relay with one template, to which nothing has happened: it tells all that one can."""
    journal = Journal(_fail_to_write)
    return RelayCollector(idle_hub("rooms", busiest_rooms=1), idle_counters(), journal, lambda: True, no_requests())


def _fail_to_write(record: Record) -> None:
    raise AssertionError(f"an idle relay has something to say: {record}")


def _fail(room: Room | None, error: Exception) -> None:
    raise AssertionError(f"room {room and room.name} of an idle hub was ended") from error
