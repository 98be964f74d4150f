"""A public door without a listener, for what loopback cannot show: visitors from anywhere, and a clock that fails."""

from __future__ import annotations

import _socket
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from time import monotonic

import gevent

from roomcast.metrics import TransportCounters
from roomcast.policies.forwarded import Forwarding, TrustedProxies
from roomcast.policies.limits import AddressCounts
from roomcast.protocol import event_stream
from roomcast.protocol.handshake import Dialect
from roomcast.server import build_policies
from roomcast.transport.admission import Outcome
from roomcast.transport.answers import Page
from roomcast.transport.entry import Entry, HandshakeLimits
from roomcast.transport.formats import Formats
from roomcast.transport.keepalive import KeepAlive
from roomcast.transport.membership import Membership
from roomcast.transport.places import Places
from roomcast.transport.recorder import Recorder
from roomcast.transport.reports import Reports
from tests.diary import Diary
from tests.idle import idle_drain
from tests.running import Relay, settings
from tests.wire import Wire

_NO_LIMITS = HandshakeLimits(
    handshake_timeout_s=10,
    head_max_bytes=16_384,
    headers_max=100,
)

NOBODY_IS_TRUSTED = Forwarding(TrustedProxies([]))


class FailingClock:
    """A clock that fails once, when it was told to."""

    def __init__(self) -> None:
        self._will_fail = False

    def fail_next(self) -> None:
        self._will_fail = True

    def __call__(self) -> float:
        if self._will_fail:
            self._will_fail = False
            raise RuntimeError("it is a quarter past s3cr3t")
        return monotonic()


class Entrance:
    """An entry to the rooms of a relay, in its loop, which is handed connections by the test.

    Args:
        relay: Whose loop and rooms it uses.
        connections_per_address: As the setting.
        handshakes_per_address: Likewise.
        page: What GET / answers.
        clock: What the members have for a clock.
        forwarding: Which proxies are believed.
    """

    def __init__(
        self,
        relay: Relay,
        *,
        connections_per_address: int,
        handshakes_per_address: int,
        page: Page,
        clock: Callable[[], float] = monotonic,
        forwarding: Forwarding = NOBODY_IS_TRUSTED,
    ) -> None:
        self.diary = Diary()
        self.journal = self.diary.journal
        self.counters = TransportCounters(list(Dialect), list(Outcome), streams=[event_stream.NAME])
        self.visitors = ExitStack()
        self._relay = relay
        reports = Reports((), self.counters, self.journal, clock)
        self.places = Places(
            connections_max=0,
            handshakes_max=0,
            connections=AddressCounts(connections_per_address, forwarding.proxies.trusts),
            handshakes=AddressCounts(handshakes_per_address, forwarding.proxies.trusts),
            reports=reports,
        )
        hub = relay.server.hub
        keep_alive = KeepAlive(
            hub=hub, clock=clock, ping_interval_s=0, pong_timeout_s=0, write_timeout_s=0, report=print
        )
        self.membership = Membership(
            hub=hub,
            counters=self.counters,
            journal=self.journal,
            places=self.places,
            reports=reports,
            keep_alive=keep_alive,
            token_holders=relay.server.token_holders,
            clock=clock,
            close_timeout_s=0.1,
            address_for_logs=str,
            recorder=Recorder(self.counters.record, clock),
        )
        formats = Formats(self.counters)
        drain = idle_drain(keep_alive, self.counters)
        self._entry = Entry(
            build_policies(settings("")), self.membership, formats, _NO_LIMITS, page, forwarding, drain=drain
        )

    def visit(self, address: str, *, is_gone: bool = False) -> Wire:
        """Connect from an address of the test's choice; or have connected, and left before anybody looked."""
        theirs, ours = socket.socketpair()
        raw = _socket.socket(ours.family, ours.type, ours.proto, ours.detach())
        raw.setblocking(False)
        visitor = self.visitors.enter_context(Wire(theirs))
        if is_gone:
            visitor.close()
        self._relay.call(lambda: self._entry.accepted(raw, address))
        return visitor


@contextmanager
def entrance(
    relay: Relay,
    *,
    connections_per_address: int = 0,
    handshakes_per_address: int = 0,
    page: Page | None = None,
    clock: Callable[[], float] = monotonic,
    forwarding: Forwarding = NOBODY_IS_TRUSTED,
) -> Iterator[Entrance]:
    """Open such a door. At the end its visitors go, and it must have forgotten them."""
    plain = page or Page(b"hello\n")
    door = relay.call(
        lambda: Entrance(
            relay,
            connections_per_address=connections_per_address,
            handshakes_per_address=handshakes_per_address,
            page=plain,
            clock=clock,
            forwarding=forwarding,
        )
    )
    writer = relay.call(lambda: gevent.spawn(door.journal.run))
    try:
        yield door
        door.visitors.close()
        relay.until(lambda: door.places.connections == 0)
    finally:
        door.visitors.close()
        relay.call(door.journal.stop)
        relay.until(writer.ready)
