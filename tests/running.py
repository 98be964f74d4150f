"""A whole relay in a thread of the test's own process, with an event loop of its own: it can be looked into.

What only a process has (signals, an exit status, a limit of open files) is in processes.py.

Tests wait for what happens (an answer, a record, a state of the loop), never for time
to pass. A relay must be clean when its test is over: no member, no room and no
descriptor is left, or the test fails.
"""

from __future__ import annotations

import http.client
import os
import resource
import ssl
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any, Protocol, TypeVar

import gevent
import pytest
from gevent.hub import get_hub

from roomcast.logs import Record, line_for
from roomcast.metrics import TransportCounters
from roomcast.relay.counters import TemplateCounters
from roomcast.server import Server
from roomcast.settings import Loaded, Settings
from tests.certificates import issue, trusting
from tests.diary import Diary
from tests.event_source import EventStream, open_stream
from tests.wire import (
    HANG_S,
    Address,
    Answer,
    Hixie76Client,
    Rfc6455Client,
    Wire,
    connect,
    get,
    shake_hands_hixie76,
    shake_hands_rfc6455,
)

T = TypeVar("T")

# libev's lowest priority.
_LAST = -2

# Any free ports, no time lost at the end, and no ping that comes between what a test reads: a
# newcomer's first may come at once.
_OURS: dict[str, dict[str, Any]] = {
    "server": {"port": 0, "drain_s": 0},
    "admin": {"port": 0, "canary_interval_s": 0},
    "limits": {"ping_interval_s": 0},
}


class Relay:
    """A relay in a thread, with an event loop of its own; and clients, who leave before it is stopped.

    Args:
        settings: The relay's.
        tls: The clients' side of TLS, where they are to have any.
    """

    def __init__(self, settings: Settings, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.diary = Diary(settings.log.level)
        self.configured = Loaded(settings)
        """What it finds where it is configured, the next time that it looks."""
        self._settings = settings
        self._clients = ExitStack()
        self._opened: Future[Server] = Future()
        self._ended: Future[None] = Future()
        Thread(target=self._run, daemon=True).start()
        self.server = self._opened.result(HANG_S)
        self.address: Address = self.server.public_address

    def _run(self) -> None:
        journal = self.diary.journal
        try:
            server = Server(
                self._settings, journal, line_for(sys.stderr, self._settings.log.format, is_dev=False), again=self._read
            )
            server.open()
        except BaseException as error:
            self._opened.set_exception(error)
            get_hub().destroy(destroy_loop=True)
            return
        writer = gevent.spawn(journal.run)
        self._loop: Any = get_hub().loop
        self._opened.set_result(server)
        try:
            server.run()
        except BaseException as error:
            self._ended.set_exception(error)
        journal.stop()
        writer.join()
        get_hub().destroy(destroy_loop=True)
        if not self._ended.done():
            self._ended.set_result(None)

    def _read(self, text: str | None) -> Loaded:
        return self.configured if text is None else Loaded(settings(text))

    # --- looking into it

    def call(self, function: Callable[[], T]) -> T:
        """Return what ``function`` returns in the relay's loop, behind all that the loop is doing."""
        returned: Future[T] = Future()

        def run() -> None:
            try:
                returned.set_result(function())
            except BaseException as error:
                returned.set_exception(error)

        self._loop.run_callback_threadsafe(run)
        return returned.result(HANG_S)

    @contextmanager
    def noticing(self, is_so: Callable[[], bool]) -> Iterator[None]:
        """Look, after each turn of the loop, whether something is so; it must be or become so before the end."""
        seen = Event()

        def look() -> None:
            if is_so():
                seen.set()

        def begin() -> list[Any]:
            # Behind all else that a turn does: its input, and what waits for its end.
            watchers = [self._loop.check(priority=_LAST), self._loop.prepare(priority=_LAST)]
            for watcher in watchers:
                watcher.start(look)
            look()
            return watchers

        watchers = self.call(begin)
        try:
            yield
            assert seen.wait(HANG_S), f"it did not become so; the records are {self.diary.read()}"
        finally:
            self.call(lambda: [watcher.close() for watcher in watchers])

    def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something is so in the relay."""
        with self.noticing(is_so):
            pass

    @property
    def counters(self) -> TransportCounters:
        """The public door's numbers, when the loop has done what it is doing."""
        return self.call(lambda: self.server.counters)

    def template(self, name: str = "rooms") -> TemplateCounters:
        """The numbers of one template, likewise."""
        return self.call(lambda: self.server.hub.templates[name])

    def records(self, event: str) -> list[Record]:
        """Every record of an event so far."""
        self.call(lambda: None)
        return [record for record in self.diary.read() if record["event"] == event]

    def watchers(self) -> int:
        """How many watchers and timers are active in its loop. To be called there."""
        return int(self._loop.activecnt)

    # --- clients

    @property
    def is_tls(self) -> bool:
        """Whether its clients speak TLS."""
        return self._tls is not None

    def connect(self, *, receive_buffer_bytes: int = 0) -> Wire:
        wire = connect(self.address, receive_buffer_bytes=receive_buffer_bytes, tls=self._tls)
        return self._clients.enter_context(wire)

    def join(self, path: str = "/rooms/lobby", *lines: str, receive_buffer_bytes: int = 0) -> Rfc6455Client:
        return shake_hands_rfc6455(self.connect(receive_buffer_bytes=receive_buffer_bytes), path, *lines)

    def join_hixie76(self, path: str = "/rooms/lobby", *lines: str) -> Hixie76Client:
        return shake_hands_hixie76(self.connect(), path, *lines)

    def stream(self, path: str = "/rooms/lobby", *lines: str, receive_buffer_bytes: int = 0) -> EventStream:
        return open_stream(self.connect(receive_buffer_bytes=receive_buffer_bytes), path, *lines)

    def ask(self, request: bytes | None = None) -> Answer:
        """Send a request, GET / without one, and return the answer."""
        return ask(self.address, get() if request is None else request, self._tls)

    def ask_admin(self, path: str) -> Answer:
        return ask_admin(self.server.private_address, path)

    def metric(self, name: str) -> float:
        """Return the value of one series of ``/metrics``, named as it stands there."""
        return metric(self.server.private_address, name)

    # --- the end

    def is_empty(self) -> bool:
        """Whether nobody is there and nothing is left of those who were."""
        server = self.server
        numbers = [value for of in server.hub.templates.values() for value in (of.rooms, of.members, of.laggards)]
        paused = [of.publishers_paused for of in server.hub.templates.values()]
        connections = list(server.counters.connections.values())
        rooms = server.hub.rooms.values()
        # One that keeps something stays, for those who come later.
        is_left = all(room.keeps_something and not room.member_count for room in rooms)
        # A place is given back behind all else: when who was answered is listened to no more, and its socket closed.
        return is_left and not any([*numbers, *paused, *connections, server.in_use().connections])

    def expect_clean(self) -> None:
        """Let all clients go, and wait until the relay has nothing of them any more."""
        self._clients.close()
        self.until(self.is_empty)

    def reload(self, configured: Settings | None = None) -> None:
        """Have it read its configuration again, these settings where they are given, and wait until it has."""
        if configured is not None:
            self.configured = Loaded(configured)
        reloads = self.server.counters.config_reloads
        before = self.call(lambda: sum(reloads.values()))
        self.call(self.server.reload)
        self.until(lambda: sum(reloads.values()) > before)

    def ask_to_stop(self) -> None:
        self._loop.run_callback_threadsafe(self.server.ask_to_stop)

    def wait_for_end(self) -> None:
        """Wait until it has ended."""
        self._ended.result(HANG_S)

    def stop(self) -> None:
        self._clients.close()
        if not self._ended.done():
            self.ask_to_stop()
        self.wait_for_end()


TLS = "tls"
OVER_TLS_TOO = pytest.mark.parametrize("serve", ["clear", TLS], indirect=True)
"""The mark of tests that are run twice: with a relay that serves in clear, and with one that has a certificate."""


class Serve(Protocol):
    """The fixture that starts relays."""

    def __call__(self, toml: str = "") -> Relay: ...


@pytest.fixture
def serve(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Serve]:
    """Start a relay with these settings; it must be clean at the end, and is stopped then."""
    # The test's own thread may want its loop in the middle of the test, whose descriptors are no relay's.
    get_hub()
    descriptors = open_descriptors()
    relays: list[Relay] = []
    is_tls = getattr(request, "param", None) == TLS
    files = issue(tmp_path).toml if is_tls else ""

    def start(toml: str = "") -> Relay:
        relays.append(Relay(settings(files + toml), trusting() if is_tls else None))
        return relays[-1]

    try:
        yield start
        for relay in relays:
            if not relay.server.counters.is_draining:
                relay.expect_clean()
    finally:
        for relay in relays:
            relay.stop()
    # Fewer are well: what an earlier test let go of may be closed only now.
    assert open_descriptors() <= descriptors


@pytest.fixture
def many_files() -> Iterator[None]:
    """Let this process have as many descriptors as it may: both ends of a thousand connections are in it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def settings(toml: str) -> Settings:
    """Return the settings of a TOML text, with ours where it says nothing else."""
    given = tomllib.loads(toml)
    return Settings(**given | {name: values | given.get(name, {}) for name, values in _OURS.items()})


def open_descriptors() -> int:
    """Return how many descriptors this process has open."""
    return len(os.listdir("/proc/self/fd"))


def ask(address: Address, request: bytes, tls: ssl.SSLContext | None = None) -> Answer:
    """Send a request on a connection of its own and return the answer."""
    with connect(address, tls=tls) as wire:
        wire.send(request)
        return wire.read_answer()


def ask_admin(
    address: Address,
    path: str,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Send one request to the private door, on a connection of its own, and return the answer."""
    assert isinstance(address, tuple)
    connection = http.client.HTTPConnection(*address, timeout=HANG_S)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def metric(address: Address, name: str) -> float:
    """Return the value of one series of ``/metrics``, named as it stands there."""
    lines = ask_admin(address, "/metrics").body.decode().splitlines()
    [value] = [line.removeprefix(f"{name} ") for line in lines if line.startswith(f"{name} ")]
    return float(value)
