"""What it takes to visit the private door: a small HTTP client in the test's own loop."""

from __future__ import annotations

import http.client
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

from gevent import socket

from tests.wire import HANG_S

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from roomcast.api.door import PrivateDoor
    from roomcast.api.wsgi import Patience


class OpenDoor(Protocol):
    """The fixture that opens private doors."""

    def __call__(
        self, app: WSGIApplication, *, host: str = "127.0.0.1", patience: Patience | None = None
    ) -> PrivateDoor: ...


class Connect(Protocol):
    """The fixture that makes connections to private doors."""

    def __call__(self, door: PrivateDoor) -> socket.socket: ...


def greet(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer any request with one line: a WSGI application."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello\n"]


def host_and_port(door: PrivateDoor) -> tuple[str, int]:
    """Return the address of a door that is no unix socket."""
    assert isinstance(door.address, tuple)
    return door.address


def connect_to(door: PrivateDoor) -> socket.socket:
    """Return a connection to the door, for the caller to close."""
    if isinstance(door.address, str):
        family = socket.AF_UNIX
    else:
        family = socket.AF_INET6 if ":" in door.address[0] else socket.AF_INET
    client = socket.socket(family)
    client.settimeout(HANG_S)
    try:
        client.connect(door.address)
    except OSError:
        client.close()
        raise
    return client


def ask(client: socket.socket, path: str = "/", headers: Mapping[str, str] | None = None) -> http.client.HTTPResponse:
    """Send one GET and return its answer, without the body. The connection stays open."""
    connection = http.client.HTTPConnection("roomcast")
    connection.sock = client
    connection.request("GET", path, headers=headers or {})
    return connection.getresponse()


def send(client: socket.socket, request: bytes) -> bytes:
    """Send these bytes and return all that comes until the door closes the connection."""
    client.sendall(request)
    return read_all(client)


def read_all(client: socket.socket) -> bytes:
    """Return all that comes until the door closes the connection, in whatever way."""
    chunks = []
    try:
        while chunk := client.recv(65_536):
            chunks.append(chunk)
    except ConnectionResetError:
        pass
    return b"".join(chunks)
