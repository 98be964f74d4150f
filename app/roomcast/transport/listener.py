"""Listening sockets for both doors, and accepting from that of the public one.

gevent's StreamServer is not used: over the limit of open files it writes a
traceback for each connection that it could not take, and it wraps every
accepted socket in an object that the handshake would only take apart again.
"""

import _socket
import errno
import os
import socket
import stat
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from operator import methodcaller

from roomcast.logs import Journal, fault
from roomcast.transport.loop import READABLE, after, watcher

# The kernel cuts this to net.core.somaxconn. A reconnect storm that fills the
# queue waits for SYN retries, a second and more.
_BACKLOG = 65_535
# Connections taken in one turn, so that members are served between two lots.
_ACCEPTS_PER_TURN = 64
# Pause after the system refused to give another descriptor. Members keep what
# they have; newcomers wait in the queue meanwhile.
_PAUSE_S = 0.2
_OUT_OF_RESOURCES = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
# Linux' number, which Python's socket module does not have everywhere.
_TCP_NOTSENT_LOWAT = getattr(socket, "TCP_NOTSENT_LOWAT", 25)
# The number that macOS gives it, under the name of TCP_KEEPALIVE.
_TCP_KEEPIDLE = getattr(socket, "TCP_KEEPIDLE", 16)
_PROBE_OPTIONS = (_TCP_KEEPIDLE, socket.TCP_KEEPCNT, socket.TCP_KEEPINTVL)
# Probes that remain unanswered before a peer is given up: one may be lost.
_PROBES = 3

# What socket.accept is made of. It returns a bare descriptor, where accept makes
# an object that blocks, of a class which gevent has patched.
_accept: Callable[[_socket.socket], tuple[int, object]] = methodcaller("_accept")

UNIX_PREFIX = "unix:"


@dataclass(frozen=True, slots=True)
class SocketOptions:
    """What the system is told about each accepted connection; 0 leaves it to the system.

    Args:
        send_buffer_bytes: How much the kernel may hold for one connection before
            it takes no more; it may else be 4 MiB for each reader that has
            stalled. Of TCP, what it has not sent yet; of a path, all.
        receive_buffer_bytes: How much the kernel may hold of what one peer sends
            while it is not read; it may else be 6 MiB. For TCP only: of a path,
            that is the peer's own.
        ping_interval_s: After how much silence the system begins to probe for the
            peer: as soon as a ping would be due.
        pong_timeout_s: How long its probes may remain unanswered.
    """

    send_buffer_bytes: int = 0
    receive_buffer_bytes: int = 0
    ping_interval_s: float = 0
    pong_timeout_s: float = 0


def bind(host: str, port: int, options: SocketOptions | None = None) -> _socket.socket:
    """Return a listening socket on ``host`` and ``port``, or on ``unix:/path``.

    Args:
        host: An address, ``::`` for both families, or ``unix:`` and a path.
        port: 0 for any free one; ignored for a path.
        options: See there.

    Raises:
        OSError: Where the system will not.
    """
    if host.startswith(UNIX_PREFIX):
        return _bind_path(host.removeprefix(UNIX_PREFIX))
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = _socket.socket(family, socket.SOCK_STREAM)
    try:
        # A restarted relay must not wait until its predecessor's connections are forgotten.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # A system-wide default decides otherwise, and "::" promises both families.
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if host == "::" else 1)
        _set_options(listening, options or SocketOptions())
        listening.bind((host, port))
        listening.listen(_BACKLOG)
    except OSError:
        listening.close()
        raise
    listening.setblocking(False)
    return listening


def adopt(listening: _socket.socket, options: SocketOptions | None = None) -> _socket.socket:
    """Return a socket that somebody else has let listen, as ``bind`` would have made it: but for its address."""
    if listening.family != socket.AF_UNIX:
        _set_options(listening, options or SocketOptions())
    listening.listen(_BACKLOG)
    listening.setblocking(False)
    return listening


def _set_options(listening: _socket.socket, options: SocketOptions) -> None:
    # A room's burst is one write. Nagle would keep a small one back until
    # the last is acknowledged: 44 ms.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # hixie-76 has no ping: in a quiet room only this finds a peer that vanished,
    # and left to itself the system begins to look for it after two hours.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    _set_probes(listening, options.ping_interval_s, options.pong_timeout_s)
    if options.send_buffer_bytes:
        listening.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, options.send_buffer_bytes)
    if options.receive_buffer_bytes:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, options.receive_buffer_bytes)


def _set_probes(listening: _socket.socket, ping_interval_s: float, pong_timeout_s: float) -> None:
    if ping_interval_s:
        listening.setsockopt(socket.IPPROTO_TCP, _TCP_KEEPIDLE, _whole_seconds(ping_interval_s))
    if pong_timeout_s:
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _PROBES)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _whole_seconds(pong_timeout_s / _PROBES))


def _system_probes() -> dict[int, int]:
    """Return how the system probes by itself."""
    with socket.socket() as untouched:
        return {name: untouched.getsockopt(socket.IPPROTO_TCP, name) for name in _PROBE_OPTIONS}


def _whole_seconds(seconds: float) -> int:
    return max(ceil(seconds), 1)


def _bind_path(path: str) -> _socket.socket:
    listening = _socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if _is_abandoned(path):
            os.unlink(path)
        listening.bind(path)
        listening.listen(_BACKLOG)
    except OSError:
        listening.close()
        raise
    listening.setblocking(False)
    return listening


def _is_abandoned(path: str) -> bool:
    """Whether this is the socket of a process that was killed, and not of one which listens, or any other file."""
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return False
    except FileNotFoundError:
        return False
    probe = _socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # Who listens and has its queue full would keep us waiting; now it says so.
    probe.setblocking(False)
    try:
        return probe.connect_ex(path) == errno.ECONNREFUSED
    finally:
        probe.close()


class Acceptor:
    """Hands over every connection that arrives at a listening socket.

    Args:
        listening: From ``bind``.
        accepted: Called in the loop with a non-blocking socket and the peer's
            address, "" for a path's; it must not block.
        journal: Told when the system has no descriptors left, and of faults of ours.
        options: As ``bind`` got them.
    """

    def __init__(
        self,
        listening: _socket.socket,
        accepted: Callable[[_socket.socket, str], None],
        journal: Journal,
        options: SocketOptions | None = None,
    ) -> None:
        self._listening = listening
        self._accepted = accepted
        self._journal = journal
        # TCP connections have inherited theirs. Those of a path inherit nothing.
        is_path = listening.family == socket.AF_UNIX
        self._send_buffer_bytes = options.send_buffer_bytes if is_path and options is not None else 0
        # Read here, so that nothing can fail when they are needed: a change takes no descriptor.
        self._system_probes = {} if is_path else _system_probes()
        self._watcher = watcher(listening.fileno(), READABLE)
        self._is_closed = False

    def start(self) -> None:
        """Begin, or go on, to accept."""
        if not self._is_closed:
            self._watcher.start(self._accept)

    def change(self, *, ping_interval_s: float, pong_timeout_s: float) -> None:
        """Have the system probe by other times for those who come from now on."""
        if self._is_closed or self._listening.family == socket.AF_UNIX:
            return
        for name, value in self._system_probes.items():
            self._listening.setsockopt(socket.IPPROTO_TCP, name, value)
        _set_probes(self._listening, ping_interval_s, pong_timeout_s)

    def close(self) -> None:
        """Stop for good, and close the listening socket."""
        if self._is_closed:
            return
        self._is_closed = True
        self._watcher.stop()
        self._watcher.close()
        self._listening.close()

    def _accept(self) -> None:
        try:
            self._accept_lot()
        except Exception as error:
            # The loop would never call again what has raised, and the door stay shut.
            self._journal.error("internal fault", **fault(error))

    def _accept_lot(self) -> None:
        for _ in range(_ACCEPTS_PER_TURN):
            try:
                descriptor, address = _accept(self._listening)
            except BlockingIOError:
                return
            except OSError as error:
                self._pause_if_out_of_resources(error)
                return
            listening = self._listening
            connection = _socket.socket(listening.family, listening.type, listening.proto, descriptor)
            try:
                connection.setblocking(False)
                if self._send_buffer_bytes:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._send_buffer_bytes)
                self._accepted(connection, address[0] if isinstance(address, tuple) else "")
            except Exception:
                connection.close()
                raise

    def _pause_if_out_of_resources(self, error: OSError) -> None:
        """Wait a while where another try would fail the same way; the watcher would fire at once and for ever."""
        if error.errno in _OUT_OF_RESOURCES:
            self._watcher.stop()
            self._journal.error("cannot accept", door="public", error=os.strerror(error.errno), again_in_s=_PAUSE_S)
            after(_PAUSE_S, self.start)
