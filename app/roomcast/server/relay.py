"""The relay: everything that one process serves its rooms with, from its settings to its end."""

import _socket
import time
from collections.abc import Callable, Mapping
from wsgiref.types import WSGIApplication

from gevent.event import Event

from roomcast.api.app import create_app
from roomcast.api.door import PrivateDoor
from roomcast.api.watchdog import Watchdog
from roomcast.logs import Journal, Processor, address_for_logs, fault
from roomcast.metrics import TransportCounters
from roomcast.pages import CHAT
from roomcast.policies.limits import AddressCounts
from roomcast.policies.revocations import Revocations
from roomcast.protocol import event_stream
from roomcast.protocol.bearer import TokenPlaces
from roomcast.protocol.handshake import Dialect
from roomcast.relay.room import Room
from roomcast.server.api import build_access, build_keyring, is_loopback
from roomcast.server.canary import CanaryWatch
from roomcast.server.doors import Door, DoorError, open_door
from roomcast.server.drain import build_drain
from roomcast.server.faults import report_faults
from roomcast.server.files import connections_max
from roomcast.server.hub import build_hub
from roomcast.server.memory import find_memory_limit
from roomcast.server.policies import build_forwarding, build_policies
from roomcast.server.tokens import build_verifier
from roomcast.settings import Settings
from roomcast.transport.admission import Outcome
from roomcast.transport.answers import Page
from roomcast.transport.certificate import Certificate
from roomcast.transport.entry import Entry, HandshakeLimits
from roomcast.transport.formats import Deflation, Formats
from roomcast.transport.keepalive import KeepAlive
from roomcast.transport.listener import Acceptor, SocketOptions
from roomcast.transport.membership import Membership
from roomcast.transport.places import Places
from roomcast.transport.reports import Reports
from roomcast.transport.tls import TlsServer
from roomcast.transport.token_holders import TokenHolders
from roomcast.transport.tokens import Authenticator

# How long a scrape under way may hold up the end. Behind the drain come this, the
# watchdog and the log's last words: they have to fit into the ENDING_S between drain_s
# and the moment when a supervisor loses patience, and the first members come back.
_LAST_ANSWERS_S = 0.3


class Server:
    """A relay, with its two doors. Everything of it lives on the event loop of the thread that makes it.

    Args:
        settings: What the operator wants.
        journal: The log; whoever makes it runs it.
        chain: Makes a line of what the watchdog has to say on stderr; JSON without it.

    Raises:
        ValueError: As ``build_policies``, ``build_forwarding``, ``build_verifier``, ``build_keyring``, ``build_access``
            and ``Certificate``.
    """

    def __init__(self, settings: Settings, journal: Journal, chain: tuple[Processor, ...] | None = None) -> None:
        self._settings = settings
        self._journal = journal
        self._stop_asked = Event()
        report_faults(journal)
        self.admission = build_policies(settings)
        self.forwarding = build_forwarding(settings)
        self.counters = TransportCounters(list(Dialect), list(Outcome), streams=[event_stream.NAME])
        self._memory = find_memory_limit()
        self.hub = build_hub(settings, self._memory, self._report)
        self.keep_alive = self._build_keep_alive()
        self._drain = build_drain(settings, self.keep_alive, self.counters, journal)
        self._certificate = self._read_certificate()
        self._verifier = build_verifier(settings, journal, self.counters)
        self._revocations = Revocations(leeway_s=settings.tokens.leeway_s)
        self.token_holders = self._build_token_holders()
        self._entry = self._build_entry()
        self._watchdog = Watchdog(self.counters.loop_lag, chain=chain)
        self._keyring = build_keyring(settings, journal)
        self._app = self._build_app()
        self._is_open = False
        self._doors: list[Door] = []
        self._acceptor: Acceptor | None = None
        self._private_door: PrivateDoor | None = None
        self.public_address: tuple[str, int] | str = ""
        """Where the public door is, since ``open``: host and port, or a path."""
        self.private_address: tuple[str, int] | str = ""
        """Where the private door is, likewise."""

    def open(self, passed_on: Mapping[str, _socket.socket] | None = None) -> None:
        """Take both addresses, or what ``take_sockets`` has of them, and begin to serve. Raises DoorError."""
        limits = self._settings.limits
        options = SocketOptions(
            limits.send_buffer_bytes, limits.receive_buffer_bytes, limits.ping_interval_s, limits.pong_timeout_s
        )
        public, private = self._open_doors(options, passed_on or {})
        self._doors = [public, private]
        self.public_address, self.private_address = public.address, private.address
        self._acceptor = Acceptor(public.listening, self._entry.accepted, self._journal, options)
        self._private_door = PrivateDoor(
            private.listening, self._app, self._journal, body_max_bytes=self._settings.admin.body_max_bytes
        )
        if self._memory is not None:
            self._memory.open()
        self.keep_alive.start()
        self.token_holders.start()
        if self._verifier is not None:
            self._verifier.start()
        if self._certificate is not None:
            self._certificate.start()
        self._watchdog.start()
        self._private_door.start()
        self._acceptor.start()
        self.canary.start(public.address)
        self._is_open = True

    def _open_doors(self, options: SocketOptions, passed_on: Mapping[str, _socket.socket]) -> tuple[Door, Door]:
        server, admin = self._settings.server, self._settings.admin
        public = open_door("server", server.host, server.port, options, passed_on.get("server"))
        try:
            return public, open_door("admin", admin.host, admin.port, passed_on=passed_on.get("admin"))
        except DoorError:
            public.close()
            raise

    def ask_to_stop(self) -> None:
        """Begin to drain; asked again, stop draining. Called in the loop, as by a signal."""
        if self._stop_asked.is_set():
            self._drain.cut_short()
        self._stop_asked.set()

    def reload(self) -> None:
        """Read certificate, token keys and API keys again, while it serves. Called in the loop, as by a signal."""
        reloads: list[Callable[[], None]] = []
        if self._certificate is not None:
            reloads.append(self._certificate.reload)
        if self._verifier is not None and self._settings.tokens.keys:
            reloads.append(self._verifier.reload)
        if self._settings.api_keys:
            reloads.append(self._keyring.reload)
        for reload in reloads:
            reload()
        if not reloads:
            hint = "only the files of [tls], of [tokens] keys and of [[api_keys]] are read again, and there are none"
            self._journal.info("nothing to reload", hint=hint)

    def run(self) -> None:
        """Serve until asked to stop, then say goodbye to everybody and close both doors."""
        self._stop_asked.wait()
        self.canary.stop()
        # The public door stays open, and answers 503: a load balancer that is
        # refused a connection reports an outage, one that is told 503 a restart.
        cut = self._drain.run()
        self.close()
        self._journal.info("stopped", members=self.counters.drain_members, cut=cut)

    def close(self) -> None:
        """Close both doors, and let no clock tick any more. Members are not told: ``run`` has seen to them."""
        self._is_open = False
        self.canary.stop()
        for door in self._doors:
            door.leave()
        if self._acceptor is not None:
            self._acceptor.close()
        if self._private_door is not None:
            self._private_door.stop(_LAST_ANSWERS_S)
        self.keep_alive.stop()
        self.token_holders.stop()
        if self._verifier is not None:
            self._verifier.stop()
        if self._certificate is not None:
            self._certificate.stop()
        self._watchdog.stop()
        if self._memory is not None:
            self._memory.close()

    def _is_ready(self) -> bool:
        return self._is_open and not self.counters.is_draining

    def _read_certificate(self) -> Certificate | None:
        tls = self._settings.tls
        if not tls.certificate:
            return None
        return Certificate(tls.certificate, tls.key, journal=self._journal, counters=self.counters, clock=time.time)

    def _build_keep_alive(self) -> KeepAlive:
        limits = self._settings.limits
        return KeepAlive(
            hub=self.hub,
            clock=time.monotonic,
            ping_interval_s=limits.ping_interval_s,
            pong_timeout_s=limits.pong_timeout_s,
            write_timeout_s=limits.write_timeout_s,
            report=lambda error: self._journal.error("internal fault", **fault(error)),
        )

    def _build_token_holders(self) -> TokenHolders:
        tokens = self._settings.tokens
        return TokenHolders(
            self._revocations,
            clock=time.time,
            warn_s=tokens.warn_s,
            leeway_s=tokens.leeway_s,
            journal=self._journal,
        )

    def _build_app(self) -> WSGIApplication:
        access = build_access(
            self._settings,
            keyring=self._keyring,
            hub=self.hub,
            admission=self.admission,
            revoker=self.token_holders,
            is_local=lambda: is_loopback(self.private_address),
        )
        return create_app(self.hub, self.counters, self._is_ready, self._journal, access)

    def _build_entry(self) -> Entry:
        settings = self._settings
        limits = settings.limits
        reports = Reports(limits.report_only, self.counters, self._journal, time.monotonic)
        membership = Membership(
            hub=self.hub,
            counters=self.counters,
            journal=self._journal,
            places=self._build_places(reports),
            reports=reports,
            keep_alive=self.keep_alive,
            token_holders=self.token_holders,
            clock=time.monotonic,
            close_timeout_s=limits.close_timeout_s,
            address_for_logs=lambda address: address_for_logs(address, settings.log.addresses),
        )
        deflate = settings.deflate
        deflation = Deflation(deflate.level, deflate.min_bytes) if deflate.enabled else None
        handshakes = HandshakeLimits(
            handshake_timeout_s=limits.handshake_timeout_s,
            head_max_bytes=limits.head_max_bytes,
            headers_max=limits.headers_max,
        )
        page = _page(is_demo=settings.server.demo)
        formats = Formats(self.counters, deflation)
        tls = None if self._certificate is None else TlsServer(self._certificate)
        authenticator = self._build_authenticator()
        self.canary = CanaryWatch(settings, membership, self.forwarding, self._journal)
        return Entry(
            self.admission,
            membership,
            formats,
            handshakes,
            page,
            self.forwarding,
            tls,
            authenticator,
            drain=self._drain,
            canary=self.canary.door,
        )

    def _build_authenticator(self) -> Authenticator | None:
        if self._verifier is None:
            return None
        tokens = self._settings.tokens
        return Authenticator(
            TokenPlaces(tokens.cookie, tokens.query),
            self._verifier.verify,
            revocations=self._revocations,
            clock=time.time,
            counters=self.counters,
        )

    def _build_places(self, reports: Reports) -> Places:
        limits, is_proxy = self._settings.limits, self.forwarding.proxies.trusts
        self.counters.connections_limit = connections_max(limits.connections_max)
        return Places(
            connections_max=self.counters.connections_limit,
            handshakes_max=limits.handshakes_max,
            connections=AddressCounts(limits.connections_per_address, is_proxy),
            handshakes=AddressCounts(limits.handshakes_per_address, is_proxy),
            reports=reports,
        )

    def _report(self, room: Room | None, error: Exception) -> None:
        self._journal.error("internal fault", room=None if room is None else room.name, **fault(error))


def _page(*, is_demo: bool) -> Page:
    if not is_demo:
        return Page(b"Roomcast is running. Rooms are WebSockets: see your configuration for their paths.\n")
    return Page(CHAT.body, CHAT.headers)
