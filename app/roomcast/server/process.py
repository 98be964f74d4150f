"""The relay as a process: its signals, its limit of open files, what it says first, and its exit status."""

import gc
import os
import signal
import sys
import time
from ipaddress import ip_address

import gevent

from roomcast.logs import Journal, line_for, open_journal
from roomcast.server.activation import take_sockets
from roomcast.server.files import raise_file_limit
from roomcast.server.orphans import reap_orphans
from roomcast.server.relay import Server
from roomcast.server.supervision import Supervision
from roomcast.settings import Loaded, Settings
from roomcast.transport.listener import UNIX_PREFIX

# How long a write to a log that hangs may hold up the end of the process.
_LAST_WORDS_S = 0.5
# How many more objects than were freed may be made before the collector looks
# for cycles among them. Messages make none, and Python's 700 would have it look
# several times in each pass of a busy room.
_COLLECT_AFTER = 10_000


def serve(loaded: Loaded, *, is_dev: bool) -> int:
    """Run a relay until it is told to stop; return the exit status of the process.

    Raises:
        DoorError: If a door's address is not to be had.
        ValueError: As ``Server``.
    """
    settings, log = loaded.settings, loaded.settings.log
    raise_file_limit()
    reap_orphans()
    journal = open_journal(sys.stdout, level=log.level, form=log.format, is_dev=is_dev)

    def again(text: str | None) -> Loaded:
        return server.loaded.given.load(text)

    server = Server(settings, journal, line_for(sys.stderr, log.format, is_dev=is_dev), loaded=loaded, again=again)
    supervision = Supervision(
        os.environ,
        server.counters,
        clock=time.monotonic,
        drain_s=lambda: server.loaded.settings.server.drain_s,
        ask_to_stop=server.ask_to_stop,
        reload=server.reloading.attempt,
    )
    # Before the doors open: who is told to stop meanwhile should end as from any other signal.
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, supervision.ask_to_stop)
    # Who tries it out has closed the terminal, and would find the port taken the next time.
    gevent.signal_handler(signal.SIGHUP, supervision.ask_to_stop if is_dev else supervision.reload)
    # --dev promises loopback, and what is passed on may listen anywhere.
    server.open({} if is_dev else take_sockets(os.environ))
    # What the program consists of is never garbage, and need not be looked at again.
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)
    writer = gevent.spawn(journal.run)
    _announce(server, journal, settings)
    supervision.ready()
    server.run()
    supervision.end()
    journal.stop()
    writer.join(_LAST_WORDS_S)
    return 0


def _announce(server: Server, journal: Journal, settings: Settings) -> None:
    public, private = server.public_address, server.private_address
    s = "s" if settings.tls.certificate else ""
    journal.info(
        "serving",
        public=_socket_path(public),
        chat=f"{_base(f'http{s}', public)}/" if settings.server.demo else "",
        rooms=[f"{_base(f'ws{s}', public)}{room.path}" for room in settings.rooms],
        connections_max=server.counters.connections_limit,
        lag_total_max_bytes=server.hub.budget.limit_bytes,
        private=_socket_path(private),
        metrics=f"{_base('http', private)}/metrics",
    )
    server.warn()


def _socket_path(address: tuple[str, int] | str) -> str:
    """Return where a door is that has no port, and so no URL."""
    return f"{UNIX_PREFIX}{address}" if isinstance(address, str) else ""


def _base(scheme: str, address: tuple[str, int] | str) -> str:
    """Return what stands before the path in a URL of this door: of a socket's, nothing."""
    if isinstance(address, str):
        return ""
    host, port = address
    if ip_address(host).is_unspecified:
        # "All addresses" is none that a browser can open.
        host = "localhost"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
