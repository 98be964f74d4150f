"""The library wsproto, which has no input and output of its own, on a socket. Usage and lines: see ../witness.py."""

import socket
import ssl
import sys
from urllib.parse import urlsplit

from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Message,
    Ping,
    Pong,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.extensions import PerMessageDeflate


class Client:
    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._protocol = WSConnection(ConnectionType.CLIENT)
        self._events: list[Event] = []
        self._pieces: list[str | bytes | bytearray] = []

    def send(self, event: Event) -> None:
        self._socket.sendall(self._protocol.send(event))

    def receive(self) -> Event:
        while not self._events:
            self._protocol.receive_data(self._socket.recv(65_536) or None)
            self._events = list(self._protocol.events())
        return self._events.pop(0)

    def do(self, verb: str, rest: str) -> str | None:
        match verb:
            case "text":
                self.send(TextMessage(data=rest))
            case "bytes":
                self.send(BytesMessage(data=bytes.fromhex(rest)))
            case "fragments":
                *first, last = rest.split("|")
                for part in first:
                    self.send(TextMessage(data=part, message_finished=False))
                self.send(TextMessage(data=last))
            case "ping":
                self.send(Ping(payload=rest.encode()))
            case "close":
                code, _, reason = rest.partition(" ")
                self.send(CloseConnection(code=int(code), reason=reason))
            case "hear":
                return self._hear()
        return None

    def _hear(self) -> str:
        while True:
            match self.receive():
                case Message() as message:
                    self._pieces.append(message.data)
                    if message.message_finished:
                        return self._whole()
                case Pong(payload=payload):
                    return f"pong {payload.decode()}"
                case Ping() as ping:
                    self.send(ping.response())
                case CloseConnection() as goodbye:
                    if self._protocol.state is ConnectionState.REMOTE_CLOSING:
                        self.send(goodbye.response())
                    self._socket.close()
                    return f"closed {goodbye.code} {goodbye.reason or ''}"

    def _whole(self) -> str:
        pieces, self._pieces = self._pieces, []
        texts = [piece for piece in pieces if isinstance(piece, str)]
        if texts:
            return f"text {''.join(texts)}"
        return f"bytes {b''.join(piece for piece in pieces if not isinstance(piece, str)).hex()}"


def connect(url: str) -> socket.socket:
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    connected = socket.create_connection((parts.hostname, parts.port))
    if parts.scheme == "wss":
        return ssl.create_default_context().wrap_socket(connected, server_hostname=parts.hostname)
    return connected


def main() -> None:
    url, *subprotocols = sys.argv[1:]
    client = Client(connect(url))
    parts = urlsplit(url)
    request = Request(host=parts.netloc, target=parts.path, subprotocols=subprotocols, extensions=[PerMessageDeflate()])
    client.send(request)
    match client.receive():
        case AcceptConnection(subprotocol=subprotocol):
            print(f"open {subprotocol or ''}", flush=True)
        case RejectConnection(status_code=status):
            print(f"refused {status}", flush=True)
            return
    for line in sys.stdin:
        verb, _, rest = line.rstrip("\n").partition(" ")
        answer = client.do(verb, rest)
        if answer is not None:
            print(answer, flush=True)


if __name__ == "__main__":
    main()
