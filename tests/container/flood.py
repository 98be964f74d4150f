"""A load for a relay: members that stop reading, members that read everything, and publishers that flood them.

A script without a dependency, so that it runs in a container of its own, whose
memory is not the relay's: what a member's kernel has received counts there.
It prints one line of JSON when the good members have heard everything, or at
its deadline.
"""

from __future__ import annotations

import contextlib
import json
import selectors
import socket
import sys
import time
from dataclasses import dataclass, field
from typing import Final

# What a kernel takes for a member that reads nothing: the least there is.
SMALL_BUFFER: Final = 2048
LARGE_BUFFER: Final = 1 << 22
HEAD: Final = (
    "GET {path} HTTP/1.1\r\nHost: relay\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
PONG: Final = b"\x8a\x80" + bytes(4)


@dataclass(frozen=True)
class Flood:
    """What is done.

    Attributes:
        stalled: Members of each room that read nothing after their 101.
        good: Members of each that read everything.
        publishers: Members of each that send.
        message_bytes: How long a message is.
        messages: How many each publisher sends.
        rooms: How many there are.
        interval_s: How long a publisher waits between two.
        settle_s: How long everything is held still behind the last message.
        deadline_s: When it is over at the latest.
        address: Of the public door, host and port.
    """

    stalled: int
    good: int
    publishers: int
    message_bytes: int
    messages: int
    rooms: int = 1
    interval_s: float = 0.8
    settle_s: float = 2.0
    deadline_s: float = 60.0
    address: tuple[str, int] = ("relay", 8080)


def join(address: tuple[str, int], path: str, *, is_small: bool = False) -> socket.socket:
    """Connect, shake hands, and return the socket, which does not block any more."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER if is_small else LARGE_BUFFER)
    client.settimeout(60)
    client.connect(address)
    client.sendall(HEAD.format(path=path).encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += client.recv(4096)
    assert answer.startswith(b"HTTP/1.1 101 "), answer
    client.setblocking(False)
    return client


@dataclass
class Reader:
    """A good member: what it has heard of each publisher, and whether that was in order."""

    client: socket.socket
    buffer: bytearray = field(default_factory=bytearray)
    heard: dict[bytes, int] = field(default_factory=dict)
    count: int = 0
    is_alive: bool = True
    goodbye: str = ""

    def read(self) -> None:
        try:
            data = self.client.recv(262_144)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self.is_alive = bool(data)
        self.buffer += data
        position = 0
        while (end := self._end_of_frame(position)) is not None:
            start, position = position, end
            self._hear(start, end)
        del self.buffer[:position]

    def _end_of_frame(self, start: int) -> int | None:
        buffer = self.buffer
        if len(buffer) < start + 2:
            return None
        size, header = buffer[start + 1], 2
        if size >= 126 and len(buffer) < start + 10:
            return None
        if size == 126:
            size, header = int.from_bytes(buffer[start + 2 : start + 4], "big"), 4
        elif size == 127:
            size, header = int.from_bytes(buffer[start + 2 : start + 10], "big"), 10
        end = start + header + size
        return end if end <= len(buffer) else None

    def _hear(self, start: int, end: int) -> None:
        if self.buffer[start] == 0x89:
            self.client.send(PONG)
        if self.buffer[start] == 0x88:
            self.goodbye = self.buffer[start + 4 : end].decode()
        if self.buffer[start] != 0x81:
            return
        payload = bytes(self.buffer[start:end].partition(b"#")[2])
        publisher, _, number = payload.rstrip(b".").partition(b":")
        assert int(number) == self.heard.get(publisher, 0), "lost or out of order"
        self.heard[publisher] = int(number) + 1
        self.count += 1


class Publisher:
    """A member that sends, and reads what comes without looking at it."""

    def __init__(self, client: socket.socket, name: str, flood: Flood, starts_s: float) -> None:
        self.client = client
        self.name = name
        self.flood = flood
        self.sent = 0
        self.due_s = starts_s
        self.unsent = memoryview(b"")

    def read(self) -> None:
        with contextlib.suppress(OSError):
            self.client.recv(262_144)

    def write(self, now: float) -> None:
        if not self.unsent and self.sent < self.flood.messages and now >= self.due_s:
            self.unsent = memoryview(self._frame())
            self.sent += 1
            # Nothing is made up for: more at once would be more than one member may send.
            self.due_s = now + self.flood.interval_s
        if self.unsent:
            try:
                self.unsent = self.unsent[self.client.send(self.unsent) :]
            except BlockingIOError:
                return
            except OSError:
                self.sent, self.unsent = self.flood.messages, memoryview(b"")

    def _frame(self) -> bytes:
        payload = f"#{self.name}:{self.sent}".encode().ljust(self.flood.message_bytes, b".")
        size = len(payload)
        # Masked, with a mask of zeros.
        if size < 126:
            return bytes((0x81, 0x80 | size)) + bytes(4) + payload
        if size < 1 << 16:
            return b"\x81\xfe" + size.to_bytes(2, "big") + bytes(4) + payload
        return b"\x81\xff" + size.to_bytes(8, "big") + bytes(4) + payload

    @property
    def is_done(self) -> bool:
        return self.sent == self.flood.messages and not self.unsent


def run(flood: Flood) -> dict[str, object]:
    """Do it, and return what came of it."""
    started_s = time.monotonic()
    stalled: list[socket.socket] = []
    readers: list[Reader] = []
    publishers: list[Publisher] = []
    for room in range(flood.rooms):
        path = f"/rooms/{room}"
        stalled += [join(flood.address, path, is_small=True) for _ in range(flood.stalled)]
        readers += [Reader(join(flood.address, path)) for _ in range(flood.good)]
        publishers += [
            Publisher(join(flood.address, path), f"{room}-{number}", flood, 0.0) for number in range(flood.publishers)
        ]
    joined_s = time.monotonic()
    selector = selectors.DefaultSelector()
    for reader in readers:
        selector.register(reader.client, selectors.EVENT_READ, reader)
    for number, publisher in enumerate(publishers):
        # Not all in one turn: each in its part of the interval.
        publisher.due_s = joined_s + flood.interval_s * number / len(publishers)
        selector.register(publisher.client, selectors.EVENT_READ, publisher)
    expected = flood.messages * flood.publishers
    deadline_s = joined_s + flood.deadline_s
    still_until_s = 0.0
    while (now := time.monotonic()) < deadline_s:
        for key, _ in selector.select(0.002):
            who = key.data
            if isinstance(who, Reader):
                who.read()
                if not who.is_alive:
                    selector.unregister(who.client)
            else:
                who.read()
        for publisher in publishers:
            publisher.write(now)
        if still_until_s:
            if now > still_until_s:
                break
        elif all(one.is_done for one in publishers) and all(
            one.count == expected or not one.is_alive for one in readers
        ):
            still_until_s = now + flood.settle_s
    return {
        "joining_s": round(joined_s - started_s, 1),
        "flooding_s": round(time.monotonic() - joined_s, 1),
        "sent": sum(one.sent for one in publishers),
        "good": len(readers),
        "good_alive": sum(one.is_alive for one in readers),
        "expected": expected,
        "goodbyes": sorted({one.goodbye for one in readers}),
        "heard_min": min((one.count for one in readers), default=0),
        "stalled": len(stalled),
    }


if __name__ == "__main__":
    arguments = json.loads(sys.argv[1])
    print(json.dumps(run(Flood(**arguments | {"address": tuple(arguments["address"])}))))
