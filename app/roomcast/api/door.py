"""The private door: a WSGI application at a listening socket, from its opening to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gevent.socket import socket

from roomcast.api.wsgi import BODY_MAX_BYTES, Patience, Server

if TYPE_CHECKING:
    import _socket

    from _typeshed.wsgi import WSGIApplication

    from roomcast.logs import Journal


class PrivateDoor:
    """Serves a WSGI application to whoever comes.

    Args:
        listening: A bound socket that listens; it is the door's from now on. Clients
            may have connected already, and wait.
        app: What answers.
        journal: Where faults are written down.
        patience: How long, and for how many, the door waits.
        body_max_bytes: The longest body of a request.
    """

    def __init__(
        self,
        listening: _socket.socket,
        app: WSGIApplication,
        journal: Journal,
        patience: Patience | None = None,
        body_max_bytes: int = BODY_MAX_BYTES,
    ) -> None:
        # pywsgi wants an object of gevent's own class.
        listener = socket(listening.family, listening.type, fileno=listening.detach())
        address = listener.getsockname()
        self.address: tuple[str, int] | str = address if isinstance(address, str) else address[:2]
        """Where the door listens: host and port, or the path of a unix socket."""
        self._server = Server(listener, app, journal, patience or Patience(), body_max_bytes)

    def start(self) -> None:
        """Begin to answer."""
        self._server.start()

    def stop(self, timeout_s: float = 1.0) -> None:
        """Close the door at once, and give the answers under way ``timeout_s`` to end."""
        self._server.stop(timeout_s)
