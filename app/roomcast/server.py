"""The composition root: settings become objects, objects become a relay with two doors.

Every object gets what it needs as an argument, and the section of the settings
that is its own; nothing below this file knows where a value came from, what
time it is or how the process is told to stop.
"""

import errno
import random
import resource
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address

import gevent
from gevent.event import Event

from roomcast.api.app import create_app
from roomcast.api.door import PrivateDoor
from roomcast.api.watchdog import Watchdog
from roomcast.brokers.memory import MemoryBroker
from roomcast.logs import Journal, address_for_logs, open_journal
from roomcast.metrics import TransportCounters
from roomcast.policies.limits import AddressCounts
from roomcast.policies.origins import OriginPolicy
from roomcast.policies.templates import Template
from roomcast.protocol.handshake import Dialect
from roomcast.relay.hub import Hub
from roomcast.relay.room import Room
from roomcast.relay.rules import RoomRules
from roomcast.settings import Loaded, RoomSettings, Settings
from roomcast.transport import pages
from roomcast.transport.admission import Admission, Outcome, Refusal, RoomTemplate
from roomcast.transport.drain import Drain
from roomcast.transport.entry import Entry, HandshakeLimits, Page
from roomcast.transport.formats import Hixie76Format, Rfc6455Format
from roomcast.transport.keepalive import KeepAlive
from roomcast.transport.listener import UNIX_PREFIX, Acceptor, bind, holder_of
from roomcast.transport.loop import LoopScheduler
from roomcast.transport.membership import Membership, fault

# Descriptors that are not connections: listeners, the private door's clients,
# the log, and those who are told that the relay is full.
_SPARE_FILES = 256
# How long a write to a log that hangs may hold up the end of the process.
_LAST_WORDS_S = 1.0


class DoorError(OSError):
    """A door could not be opened; the message says which, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What would happen to a handshake. ``rule`` is the configuration's text that decides, where one does."""

    status: int
    outcome: str
    template: str | None
    room: str | None
    rule: str | None
    message: str


def build_policies(settings: Settings) -> Admission:
    """Compile everything that the settings say about who may enter where.

    Raises:
        ValueError: Naming the value and the rule it breaks: an origin that is
            none, a template that cannot be, two that are ambiguous.
    """
    return Admission(
        [_room_template(room.inherit(settings.limits), settings) for room in settings.rooms],
        hosts=settings.server.hosts,
        dialects=[Dialect(name) for name in settings.server.protocols],
    )


def _room_template(room: RoomSettings, settings: Settings) -> RoomTemplate:
    is_own = room.origins is not None
    return RoomTemplate(
        template=Template(room.name, room.path),
        rules=RoomRules(
            echo=room.echo,
            members_max=room.members_max,
            overflow=room.overflow,
            lag_max_bytes=room.lag_max_bytes,
            pending_max_bytes=room.pending_max_bytes,
            gather_max_s=room.gather_max_s,
        ),
        origins=OriginPolicy(
            allow=settings.origins.allow if room.origins is None else room.origins.allow,
            same_origin=settings.origins.same_origin,
            missing=settings.origins.missing,
            enforce=settings.origins.enforce,
        ),
        allow_key=f'origins of the room template "{room.name}"' if is_own else "[origins] allow",
        message_max_bytes=room.message_max_bytes or 0,
        messages_per_s=room.messages_per_s or 0,
        bytes_per_s=room.bytes_per_s or 0,
        greeting=room.greeting,
    )


def explain(settings: Settings, *, path: str, origin: str | None = None, host: str | None = None) -> Explanation:
    """Say what would happen to the handshake of a browser's page, on a relay that is not full.

    Raises:
        ValueError: As ``build_policies``.
    """
    admission = build_policies(settings)
    try:
        if host is not None:
            admission.check_host(host)
        admitted = admission.admit(path.partition("?")[0], origin=origin, host=host, scheme=None)
    except Refusal as refusal:
        message = f"{refusal.message}; {refusal.hint}" if refusal.hint else refusal.message
        return Explanation(refusal.status, str(refusal.outcome), refusal.template, refusal.room, refusal.rule, message)
    note = "" if admitted.verdict.is_allowed else "only reported: [origins] enforce = false"
    return Explanation(101, str(Outcome.ACCEPTED), admitted.template.name, admitted.room, admitted.verdict.rule, note)


class Server:
    """A relay, with its two doors. Everything of it lives on the event loop of the thread that makes it.

    Args:
        settings: What the operator wants.
        journal: The log; whoever makes it runs it.

    Raises:
        ValueError: As ``build_policies``.
    """

    def __init__(self, settings: Settings, journal: Journal) -> None:
        self._settings = settings
        self._journal = journal
        self._stop_asked = Event()
        admission = build_policies(settings)
        self.counters = TransportCounters(list(Dialect), list(Outcome))
        self.hub = Hub(
            broker=MemoryBroker,
            scheduler=LoopScheduler(),
            clock=time.monotonic,
            rooms_max=settings.limits.rooms_max,
            report=self._report,
        )
        for template in admission.templates:
            self.hub.add_template(template.name)
        self._keep_alive = KeepAlive(
            hub=self.hub,
            clock=time.monotonic,
            ping_interval_s=settings.limits.ping_interval_s,
            pong_timeout_s=settings.limits.pong_timeout_s,
            write_timeout_s=settings.limits.write_timeout_s,
            report=lambda error: self._journal.error("internal fault", **fault(error)),
        )
        self._drain = Drain(self._keep_alive, clock=time.monotonic, dice=random.random, drain_s=settings.server.drain_s)
        self._entry = self._build_entry(admission)
        self._watchdog = Watchdog(self.counters.loop_lag)
        self._is_open = False
        self._acceptor: Acceptor | None = None
        self._private_door = PrivateDoor(
            settings.admin.host,
            settings.admin.port,
            create_app(self.hub, self.counters, self._is_ready, journal),
            journal,
        )
        self.public_address: tuple[str, int] | str = ""
        """Where the public door is, since ``open``: host and port, or a path."""

    @property
    def private_address(self) -> tuple[str, int] | str:
        """Where the private door is, since ``open``."""
        return self._private_door.address

    def open(self) -> None:
        """Take both addresses and begin to serve. Raises DoorError."""
        server, admin, limits = self._settings.server, self._settings.admin, self._settings.limits
        with _named("server", server.host, server.port):
            listening = bind(server.host, server.port, send_buffer_bytes=limits.send_buffer_bytes)
        address = listening.getsockname()
        self.public_address = address if isinstance(address, str) else address[:2]
        self._acceptor = Acceptor(listening, self._entry.accepted, self._journal)
        try:
            with _named("admin", admin.host, admin.port):
                self._private_door.bind()
        except DoorError:
            self._acceptor.close()
            raise
        self._keep_alive.start()
        self._watchdog.start()
        self._private_door.start()
        self._acceptor.start()
        self._is_open = True

    def ask_to_stop(self) -> None:
        """Begin to drain; asked again, stop draining. Called in the loop, as by a signal."""
        if self._stop_asked.is_set():
            self._drain.cut_short()
        self._stop_asked.set()

    def run(self) -> None:
        """Serve until asked to stop, then say goodbye to everybody and close both doors."""
        self._stop_asked.wait()
        self.counters.is_draining = True
        members = len(self._keep_alive)
        self._journal.info("draining", members=members, drain_s=self._settings.server.drain_s)
        # The public door stays open, and answers 503: a load balancer that is
        # refused a connection reports an outage, one that is told 503 a restart.
        cut = self._drain.run()
        self.close()
        self._journal.info("stopped", members=members, cut=cut)

    def close(self) -> None:
        """Close both doors at once, and forget every member."""
        self._is_open = False
        if self._acceptor is not None:
            self._acceptor.close()
        self._private_door.stop()
        self._keep_alive.stop()
        self._watchdog.stop()

    def _is_ready(self) -> bool:
        return self._is_open and not self.counters.is_draining

    def _build_entry(self, admission: Admission) -> Entry:
        settings = self._settings
        limits = settings.limits
        self.counters.connections_limit = _connections_max(settings)
        membership = Membership(
            hub=self.hub,
            counters=self.counters,
            journal=self._journal,
            addresses=AddressCounts(limits.connections_per_address),
            keep_alive=self._keep_alive,
            clock=time.monotonic,
            connections_max=self.counters.connections_limit,
            close_timeout_s=limits.close_timeout_s,
            address_for_logs=lambda address: address_for_logs(address, settings.log.addresses),
        )
        formats: dict[Dialect, Rfc6455Format | Hixie76Format] = {
            Dialect.RFC6455: Rfc6455Format(self.counters),
            Dialect.HIXIE76: Hixie76Format(self.counters),
        }
        handshakes = HandshakeLimits(
            handshakes_max=limits.handshakes_max,
            handshake_timeout_s=limits.handshake_timeout_s,
            head_max_bytes=limits.head_max_bytes,
            headers_max=limits.headers_max,
            fragments_max=limits.fragments_max,
        )
        return Entry(admission, membership, formats, handshakes, _page(is_demo=settings.server.demo))

    def _report(self, room: Room, error: Exception) -> None:
        self._journal.error("internal fault", room=room.name, **fault(error))


def _page(*, is_demo: bool) -> Page:
    if not is_demo:
        return Page(b"Roomcast is running. Rooms are WebSockets: see your configuration for their paths.\n")
    return Page(
        pages.CHAT,
        (
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Security-Policy", pages.content_security_policy(pages.CHAT)),
            ("Cache-Control", "no-cache"),
        ),
    )


def _connections_max(settings: Settings) -> int:
    """Return the limit of connections, 0 for none."""
    if settings.limits.connections_max != "auto":
        return settings.limits.connections_max
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Where 256 are not to be had, half of what there is.
    return soft - min(_SPARE_FILES, soft // 2)


def _raise_file_limit() -> None:
    """Take all the open files that the system lets us have: the soft limit is for programs that use select."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextmanager
def _named(section: str, host: str, port: int) -> Iterator[None]:
    """Turn the system's "no" into a sentence that names the door, the reason and the key to turn."""
    try:
        yield
    except OSError as error:
        place = host if host.startswith(UNIX_PREFIX) else f"{host} port {port}"
        raise DoorError(f"[{section}] cannot listen on {place}: {_remedy(section, host, port, error)}") from None


def _remedy(section: str, host: str, port: int, error: OSError) -> str:
    """Return what is wrong, and what to do about it."""
    is_taken, is_path = error.errno == errno.EADDRINUSE, host.startswith(UNIX_PREFIX)
    # Of a port there are others, unless the address itself is none of ours.
    key = "port" if not is_path and error.errno in (errno.EADDRINUSE, errno.EACCES) else "host"
    other = f"set another: --set {section}.{key}=…"
    if not is_taken:
        return f"{error.strerror}; {other}"
    holder = None if is_path else holder_of(port)
    held = f", held by {holder}" if holder else ""
    return f"{error.strerror}{held}; stop it, or {other}"


def serve(loaded: Loaded, *, is_dev: bool) -> int:
    """Run a relay until it is told to stop; return the exit status of the process.

    Raises:
        DoorError: If a door's address is not to be had.
        ValueError: As ``build_policies``.
    """
    settings = loaded.settings
    _raise_file_limit()
    journal = open_journal(sys.stdout, level=settings.log.level, form=settings.log.format, is_dev=is_dev)
    server = Server(settings, journal)
    server.open()
    writer = gevent.spawn(journal.run)
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, server.ask_to_stop)
    _announce(server, journal, settings)
    server.run()
    journal.stop()
    writer.join(_LAST_WORDS_S)
    return 0


def _announce(server: Server, journal: Journal, settings: Settings) -> None:
    public, private = _url(server.public_address), _url(server.private_address)
    journal.info(
        "serving",
        chat=f"{public}/" if settings.server.demo else "",
        rooms=[f"{public.replace('http', 'ws', 1)}{room.path}" for room in settings.rooms],
        metrics=f"{private}/metrics",
    )
    if any(template.origins.is_open for template in build_policies(settings).templates):
        journal.warning("any origin", hint='"*" lets every page in the world into your rooms, as its visitor')


def _url(address: tuple[str, int] | str) -> str:
    if isinstance(address, str):
        return f"unix:{address}"
    host, port = address
    if ip_address(host).is_unspecified:
        # "All addresses" is none that a browser can open.
        host = "localhost"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
