"""The other generator: publishes over HTTP as fast as a relay answers, over connections that stay open.

A closed loop for each connection: the next request goes out when the answer to the last
has come. One member sits in each room and takes what it is sent, so that a message goes
all the way. Prints one JSON object, as wsload does.
"""

import argparse
import json
import os
import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from tests.wire import connect, shake_hands_rfc6455

KEY = "0123456789abcdef0123456789abcdef"
"""What the relay that is measured takes for its key."""

_TICKS_PER_S = 100
_MESSAGE = "x" * 64
_WARM_UP_S = 0.5


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.apiload", description=__doc__)
    parser.add_argument("-p", type=int, required=True, help="port of the public door")
    parser.add_argument("-a", type=int, required=True, help="port of the private door")
    parser.add_argument("-x", type=int, required=True, help="pid of the relay")
    parser.add_argument("-d", type=float, default=3.0, help="seconds to measure")
    parser.add_argument("-c", type=int, default=8, help="connections")
    parser.add_argument("-r", type=int, default=8, help="rooms, with a member in each")
    parser.add_argument("-b", type=int, default=1, help="messages of a request; above 1 it is a batch")
    return parser.parse_args()


def request(chosen: argparse.Namespace, number: int) -> bytes:
    """Return the request that one connection repeats."""
    if chosen.b == 1:
        target, kind, body = f"messages?room=/rooms/{number % chosen.r}", "text/plain", _MESSAGE
    else:
        messages = [{"room": f"/rooms/{index % chosen.r}", "text": _MESSAGE} for index in range(chosen.b)]
        target, kind, body = "batch", "application/json", json.dumps({"messages": messages})
    lines = (
        f"POST /api/v1/{target} HTTP/1.1",
        f"Host: 127.0.0.1:{chosen.a}",
        "User-Agent: apiload",
        "Accept: */*",
        f"Authorization: Bearer {KEY}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join((*lines, "", body)).encode()


class Caller:
    """One connection, with one request under way."""

    def __init__(self, port: int, body: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._body = body
        self._answer = bytearray()

    def ask(self) -> None:
        """Send the request."""
        self._answer.clear()
        self.socket.sendall(self._body)

    def is_answered(self) -> bool:
        """Read on; return whether that was the whole answer."""
        self._answer += self.socket.recv(262_144)
        if not self._answer.startswith(b"HTTP/1.1 200 "[: len(self._answer)]):
            raise SystemExit(f"the relay answered {bytes(self._answer[:200])!r}")
        return self._answer.endswith(b"}")


def cpu_s(pid: int) -> float:
    """Return the CPU time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def resident_kib(pid: int) -> float:
    """Return the memory of a process in RAM."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * 4.0


def answers(poll: select.epoll, callers: dict[int, Caller], sink: bytearray) -> Iterator[None]:
    """Yield for each request that was answered, and ask again; read what the members are sent, and forget it."""
    while True:
        for descriptor, _ in poll.poll():
            caller = callers.get(descriptor)
            if caller is None:
                os.readv(descriptor, [sink])
            elif caller.is_answered():
                yield
                caller.ask()


def count_for(seconds: float, answered: Iterator[None]) -> int:
    """Return how many requests are answered within so many seconds."""
    until_s = time.monotonic() + seconds
    count = 0
    while time.monotonic() < until_s:
        next(answered)
        count += 1
    return count


def main() -> None:
    """Load a relay, and print what it came to."""
    chosen = arguments()
    with ExitStack() as opened, select.epoll() as poll:
        for number in range(chosen.r):
            wire = opened.enter_context(connect(("127.0.0.1", chosen.p)))
            shake_hands_rfc6455(wire, f"/rooms/{number}")
            poll.register(wire.socket.fileno(), select.EPOLLIN)
        callers: dict[int, Caller] = {}
        for number in range(chosen.c):
            caller = Caller(chosen.a, request(chosen, number))
            opened.enter_context(caller.socket)
            callers[caller.socket.fileno()] = caller
            poll.register(caller.socket.fileno(), select.EPOLLIN)
            caller.ask()
        answered = answers(poll, callers, bytearray(1 << 20))
        count_for(_WARM_UP_S, answered)
        joined_kib, began_cpu_s, began_s = resident_kib(chosen.x), cpu_s(chosen.x), time.monotonic()
        messages = count_for(chosen.d, answered) * chosen.b
        took_s, took_cpu_s = time.monotonic() - began_s, cpu_s(chosen.x) - began_cpu_s
    sample = {
        "published_per_s": messages / took_s,
        "cpu_us_per_message": took_cpu_s / messages * 1e6,
        "server_cpu": took_cpu_s / took_s,
        "rss_joined_kib": joined_kib,
        # What the tables of fan-outs are made of.
        "deliveries_per_s": 0.0,
    }
    print(json.dumps(sample))


if __name__ == "__main__":
    main()
