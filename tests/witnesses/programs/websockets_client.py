"""The client of the library websockets, as it is out of the box. Usage and lines: see ../witness.py."""

import sys
from collections import deque
from threading import Event

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol


class Client:
    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._pings: deque[tuple[str, Event]] = deque()

    def do(self, verb: str, rest: str) -> str | None:
        connection = self._connection
        match verb:
            case "text":
                connection.send(rest)
            case "bytes":
                connection.send(bytes.fromhex(rest))
            case "fragments":
                connection.send(rest.split("|"))
            case "ping":
                self._pings.append((rest, connection.ping(rest)))
            case "close":
                code, _, reason = rest.partition(" ")
                connection.close(int(code), reason)
            case "hear":
                return self._hear()
        return None

    def _hear(self) -> str:
        if self._pings:
            payload, answered = self._pings.popleft()
            answered.wait()
            return f"pong {payload}"
        try:
            message = self._connection.recv()
        except ConnectionClosed as closed:
            return f"closed {closed.rcvd.code} {closed.rcvd.reason}" if closed.rcvd else "closed"
        return f"text {message}" if isinstance(message, str) else f"bytes {message.hex()}"


def main() -> None:
    url, *subprotocols = sys.argv[1:]
    try:
        offered = [Subprotocol(name) for name in subprotocols] or None
        connection = connect(url, subprotocols=offered, proxy=None, max_size=None, close_timeout=None)
    except InvalidStatus as refused:
        print(f"refused {refused.response.status_code}", flush=True)
        return
    client = Client(connection)
    print(f"open {connection.subprotocol or ''}", flush=True)
    for line in sys.stdin:
        verb, _, rest = line.rstrip("\n").partition(" ")
        answer = client.do(verb, rest)
        if answer is not None:
            print(answer, flush=True)


if __name__ == "__main__":
    main()
