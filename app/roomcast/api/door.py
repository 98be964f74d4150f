"""The private door: where it listens, and when it opens and closes."""

from __future__ import annotations

import os
import socket as native
import stat
from contextlib import suppress
from errno import EADDRINUSE
from typing import TYPE_CHECKING, Final

from gevent.socket import socket

from roomcast.api.wsgi import Patience, Server

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from roomcast.logs import Journal

UNIX: Final = "unix:"
# Enough for all tools that scrape and probe at once; they are a dozen.
BACKLOG: Final = 128


class PrivateDoor:
    """Listens, and serves a WSGI application to whoever comes.

    Args:
        host: An address, ``::`` for both families, or ``unix:`` and a path.
        port: 0 for any free one. A unix socket has none.
        app: What answers.
        journal: Where faults are written down.
        patience: How long, and for how many, the door waits.
    """

    def __init__(
        self, host: str, port: int, app: WSGIApplication, journal: Journal, patience: Patience | None = None
    ) -> None:
        self._host = host
        self._port = port
        self._app = app
        self._journal = journal
        self._patience = patience or Patience()
        self._server: Server | None = None
        self.address: tuple[str, int] | str = ""
        """Where the door listens since ``bind``: host and port, or the path of a unix socket."""

    def bind(self) -> None:
        """Take the address. Clients may connect from now on, and wait.

        Raises:
            OSError: If the address is taken, or none of ours.
        """
        self._server = self._listen()

    def start(self) -> None:
        """Begin to answer. Takes the address first, if ``bind`` has not."""
        self._server = self._server or self._listen()
        self._server.start()

    def stop(self, timeout_s: float = 1.0) -> None:
        """Close the door at once, and give the answers under way ``timeout_s`` to end."""
        if self._server is None:
            return
        self._server.stop(timeout_s)
        self._server = None
        if isinstance(self.address, str):
            with suppress(FileNotFoundError):
                os.unlink(self.address)

    def _listen(self) -> Server:
        if self._host.startswith(UNIX):
            listener = _listen_unix(self._host.removeprefix(UNIX))
            self.address = listener.getsockname()
        else:
            listener = _listen_tcp(self._host, self._port)
            self.address = listener.getsockname()[:2]
        return Server(listener, self._app, self._journal, self._patience)


def _listen_tcp(host: str, port: int) -> socket:
    # A restarted relay must not wait until its predecessor's connections are forgotten.
    options = [(native.SOL_SOCKET, native.SO_REUSEADDR, 1)]
    if host == "::":
        # A system-wide default decides otherwise, and we promise both families.
        options.append((native.IPPROTO_IPV6, native.IPV6_V6ONLY, 0))
    family = native.AF_INET6 if ":" in host else native.AF_INET
    return _listen(family, (host, port), options)


def _listen_unix(path: str) -> socket:
    if os.path.exists(path) and stat.S_ISSOCK(os.stat(path).st_mode):
        _unlink_if_dead(path)
    return _listen(native.AF_UNIX, path, [])


def _unlink_if_dead(path: str) -> None:
    """Remove the socket that a killed relay has left behind, unless somebody listens there."""
    with socket(native.AF_UNIX, native.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
    raise OSError(EADDRINUSE, os.strerror(EADDRINUSE), path)


def _listen(family: int, address: tuple[str, int] | str, options: list[tuple[int, int, int]]) -> socket:
    listener = socket(family, native.SOCK_STREAM)
    try:
        for level, name, value in options:
            listener.setsockopt(level, name, value)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener
