"""The relay: everything that one process serves its rooms with, from its settings to its end."""

import _socket
import time
from collections.abc import Mapping
from wsgiref.types import WSGIApplication

import gevent
from gevent.event import Event

from roomcast.api.app import Access, create_app
from roomcast.api.door import PrivateDoor
from roomcast.api.guard import Guard
from roomcast.api.watchdog import Watchdog
from roomcast.logs import Journal, Processor, fault
from roomcast.metrics import TransportCounters
from roomcast.policies.forwarded import Forwarding
from roomcast.policies.revocations import Revocations
from roomcast.protocol import event_stream
from roomcast.protocol.handshake import Dialect
from roomcast.relay.room import Room
from roomcast.server.api import RoomTerms, is_loopback
from roomcast.server.canary import CanaryWatch
from roomcast.server.doors import Door, DoorError, open_door
from roomcast.server.drain import build_drain
from roomcast.server.faults import report_faults
from roomcast.server.front import (
    build_authenticator,
    build_membership,
    change_membership,
    deflation_of,
    handshake_limits,
    page_of,
)
from roomcast.server.hub import build_hub, change_hub
from roomcast.server.memory import find_memory_limit
from roomcast.server.plan import InUse
from roomcast.server.reload import Again, Prepared, Reloading, prepare
from roomcast.server.tokens import build_verifier
from roomcast.settings import Loaded, Settings
from roomcast.transport.admission import Outcome
from roomcast.transport.certificate import Certificate, ReadCertificate
from roomcast.transport.entry import Entry
from roomcast.transport.formats import Formats
from roomcast.transport.keepalive import KeepAlive
from roomcast.transport.listener import Acceptor, SocketOptions
from roomcast.transport.tls import TlsServer
from roomcast.transport.token_holders import TokenHolders

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
        loaded: Where they came from; without it, nothing of them is a secret.
        again: How they are read again; without it, a reload reads the files again that they name.

    Raises:
        ValueError: As ``prepare``.
    """

    def __init__(
        self,
        settings: Settings,
        journal: Journal,
        chain: tuple[Processor, ...] | None = None,
        *,
        loaded: Loaded | None = None,
        again: Again | None = None,
    ) -> None:
        self.loaded = loaded or Loaded(settings)
        """The configuration that holds."""
        self._settings = settings
        self._journal = journal
        self._stop_asked = Event()
        report_faults(journal)
        prepared = prepare(self.loaded)
        self.admission, self.forwarding = prepared.admission, prepared.forwarding
        self.counters = TransportCounters(list(Dialect), list(Outcome), streams=[event_stream.NAME])
        self._memory = find_memory_limit()
        self.hub = build_hub(settings, self._memory, self._report)
        self.keep_alive = self._build_keep_alive()
        self._drain = build_drain(settings, self.keep_alive, self.counters, journal)
        self._certificate = self._build_certificate(prepared.certificate)
        self._verifier = build_verifier(settings, prepared.key_sources, journal, self.counters)
        self._revocations = Revocations(leeway_s=settings.tokens.leeway_s)
        self.token_holders = self._build_token_holders()
        self._membership = build_membership(
            settings,
            self.forwarding,
            hub=self.hub,
            counters=self.counters,
            journal=journal,
            keep_alive=self.keep_alive,
            token_holders=self.token_holders,
        )
        self._formats = Formats(self.counters, deflation_of(settings))
        self.canary = CanaryWatch(settings, self._membership, self.forwarding, journal)
        self._entry = self._build_entry()
        self._watchdog = Watchdog(self.counters.loop_lag, chain=chain)
        self._guard = Guard(prepared.keyring, prepared.hosts, lambda: is_loopback(self.private_address))
        self._terms = RoomTerms(settings, self.admission, self.hub)
        self.reloading = Reloading(self, again or self._unchanged, journal, self.counters)
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
        self._acceptor = Acceptor(public.listening, self._accepted, self._journal, options)
        self._private_door = PrivateDoor(
            private.listening, self._app, self._journal, body_max_bytes=self._settings.admin.body_max_bytes
        )
        if self._memory is not None:
            self._memory.open()
        self.keep_alive.start()
        self.token_holders.start()
        self._membership.recorder.start()
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

    def run(self) -> None:
        """Serve until asked to stop, then say goodbye to everybody and close both doors."""
        self._stop_asked.wait()
        self.canary.stop()
        # The public door stays open, and answers 503: a load balancer that is
        # refused a connection reports an outage, one that is told 503 a restart.
        cut = self._drain.run()
        self.close()
        self._membership.lines.tell()
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
        self._membership.recorder.stop()
        if self._verifier is not None:
            self._verifier.stop()
        if self._certificate is not None:
            self._certificate.stop()
        self._watchdog.stop()
        if self._memory is not None:
            self._memory.close()

    # --- another configuration, see ``reload.py``

    def reload(self) -> None:
        """Begin to read the configuration again, while it serves. Called in the loop, as by a signal."""
        self.reloading.ask()

    def change(self, prepared: Prepared) -> None:
        """Go by another configuration from now on. See ``reload.Changeable``."""
        before, settings = self._settings, prepared.loaded.settings
        verifier = self._verifier
        self._verifier = build_verifier(settings, prepared.key_sources, self._journal, self.counters, verifier)
        self.loaded, self._settings = prepared.loaded, settings
        self.admission, self.forwarding = prepared.admission, prepared.forwarding
        self._journal.change(settings.log.level)
        self._drain.drain_s, self._drain.accept_per_s = settings.server.drain_s, settings.server.accept_per_s
        change_hub(self.hub, settings, self._memory, self.admission)
        change_membership(self._membership, settings, self.forwarding, before=before)
        self._formats.change(deflation_of(settings))
        self._guard.change(prepared.keyring, prepared.hosts)
        self._terms = RoomTerms(settings, self.admission, self.hub)
        if self._certificate is not None and prepared.certificate is not None:
            self._certificate.change(settings.tls.certificate, settings.tls.key, prepared.certificate)
        if self._acceptor is not None:
            limits = settings.limits
            self._acceptor.change(ping_interval_s=limits.ping_interval_s, pong_timeout_s=limits.pong_timeout_s)
        self._entry = self._build_entry()
        self.canary.change(self.forwarding, settings.admin.canary_interval_s)
        if self._verifier is not None and self._is_open:
            self._verifier.start()
        if verifier is not None:
            if self._verifier is not None:
                verifier.give_way(self._verifier)
            # It waits for its own end.
            gevent.spawn(verifier.stop)
        self.warn()

    def warn(self) -> None:
        """Log what of its configuration may be meant otherwise: at start, and whenever another one is taken."""
        settings, journal = self._settings, self._journal
        if any(template.origins.is_open for template in self.admission.templates):
            journal.warning("any origin", hint='"*" lets every page in the world into your rooms, as its visitor')
        if settings.limits.report_only:
            journal.warning("limits are only reported", limits=list(settings.limits.report_only))
        if self.forwarding.proxies.is_anyone_trusted:
            journal.warning(
                "any proxy", hint="trusted_proxies holds every address, so every client may say which is its own"
            )

    def in_use(self, forwarding: Forwarding | None = None) -> InUse:
        """Return what is in use now. See ``reload.Changeable``."""
        is_proxy = (forwarding or self.forwarding).proxies.trusts
        aside, places = self.hub.rooms.aside, self._membership.places
        return InUse(
            # A member that is no room's of theirs is our own.
            (member for member in self.keep_alive if member.room.name not in aside),
            places.connections,
            places.most_of_one_address(is_proxy),
            len(self.hub.rooms),
            self.hub.budget.held_bytes,
            self.hub.histories.held_bytes,
            self._settings.server.drain_s,
            self._memory,
        )

    def _unchanged(self, text: str | None) -> Loaded:
        """Return the settings that hold, as nobody has said how to read them again; or those of a file's text."""
        return self.loaded if text is None else self.loaded.given.load(text)

    def _accepted(self, raw: _socket.socket, address: str) -> None:
        self._entry.accepted(raw, address)

    def _is_ready(self) -> bool:
        return self._is_open and not self.counters.is_draining

    def _build_certificate(self, read: ReadCertificate | None) -> Certificate | None:
        tls = self._settings.tls
        if read is None:
            return None
        return Certificate(
            tls.certificate, tls.key, read, journal=self._journal, counters=self.counters, clock=time.time
        )

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
        access = Access(
            self._guard,
            lambda room: self._terms.of(room),
            self.token_holders,
            self.reloading,
            lambda address: self._membership.address_for_logs(address),
        )
        return create_app(self.hub, self.counters, self._is_ready, self._journal, access)

    def _build_entry(self) -> Entry:
        settings = self._settings
        return Entry(
            self.admission,
            self._membership,
            self._formats,
            handshake_limits(settings),
            page_of(settings),
            self.forwarding,
            None if self._certificate is None else TlsServer(self._certificate),
            build_authenticator(settings, self._verifier, self._revocations, self.counters),
            drain=self._drain,
            canary=self.canary.door,
        )

    def _report(self, room: Room | None, error: Exception) -> None:
        self._journal.error("internal fault", room=None if room is None else room.name, **fault(error))
