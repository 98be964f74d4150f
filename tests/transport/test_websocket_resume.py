"""Breaks in the middle of a flood, over real sockets: whoever comes back hears each message once and in order."""

from __future__ import annotations

import json
import ssl
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from random import Random

import pytest

from tests.running import OVER_TLS_TOO, Relay, Serve
from tests.transport.rooms import LOBBY, SMALL_BUFFER, rooms
from tests.wire import TEXT, Wire, rfc6455_head

KEEPING = rooms(history_messages=100_000, history_max_bytes=2_097_152, gather_max_s=0.002)
JSON = "Sec-WebSocket-Protocol: roomcast.json"
ROUNDS = 120


def take_frames(data: bytearray) -> list[tuple[int, bytes]]:
    """Take the whole frames off the front, as opcode and payload; half of one stays."""
    frames: list[tuple[int, bytes]] = []
    while len(data) >= 2:
        size, start = data[1], 2
        if size == 126:
            size, start = int.from_bytes(data[2:4], "big"), 4
        if len(data) < start + size:
            break
        frames.append((data[0] & 0x0F, bytes(data[start : start + size])))
        del data[: start + size]
    return frames


class Reader(ABC):
    """One that hears a room over many connections, each of which it loses at any byte."""

    def __init__(self, relay: Relay, dice: Random) -> None:
        self.heard: list[str] = []
        self._relay = relay
        self._dice = dice
        self._wire: Wire | None = None
        self._unread = bytearray()

    @property
    def is_connected(self) -> bool:
        return self._wire is not None

    def connect(self) -> None:
        """Come, or come back."""
        buffer_bytes = self._dice.choice([0, SMALL_BUFFER])
        self._wire = self._relay.connect(receive_buffer_bytes=buffer_bytes)
        self._wire.send(rfc6455_head(LOBBY + self.query(), *self.lines()))
        head = self._wire.read_until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        self._unread.clear()
        self._take(self._wire.take_unread())

    def cut(self) -> None:
        """Lose the connection: some bytes more arrive, the rest is lost."""
        if self._wire is not None:
            self.read(self._dice.choice([0, 1, 10, 500, 60_000]))
            self._wire.close()
            self._wire = None

    def read(self, size: int) -> None:
        """Take at most so many of the bytes that are there."""
        if self._wire is None or not size:
            return
        self._wire.socket.setblocking(False)
        with suppress(BlockingIOError, ssl.SSLWantReadError):
            self._take(self._wire.socket.recv(size))

    def read_to(self, last: str) -> None:
        """Read until this message has come."""
        if self._wire is None:
            self.connect()
        assert self._wire is not None
        self._wire.socket.settimeout(20)
        while not self.heard or self.heard[-1] != last:
            data = self._wire.socket.recv(65_536)
            assert data, f"the relay ended the stream after {self.heard[-1:]}"
            self._take(data)

    def _take(self, data: bytes) -> None:
        self._unread += data
        for opcode, payload in take_frames(self._unread):
            assert opcode == TEXT, f"opcode {opcode}: {payload!r}"
            self.hear(payload.decode())

    # --- what it asks for, and what it makes of what it hears

    @abstractmethod
    def query(self) -> str:
        """Return what it asks for when it comes."""

    def lines(self) -> tuple[str, ...]:
        return ()

    @abstractmethod
    def hear(self, text: str) -> None:
        """Take what came in one frame."""


class ByPosition(Reader):
    """It is told where it is, and goes on there."""

    position: str | None = None
    epoch = ""

    def query(self) -> str:
        return f"?since={self.position}" if self.position else "?history=100000"

    def lines(self) -> tuple[str, ...]:
        return (JSON,)

    def hear(self, text: str) -> None:
        told = json.loads(text)
        if told["type"] == "welcome":
            self.epoch = told["epoch"]
            assert self.position in (None, f"{self.epoch}:{told['offset']}")
        else:
            assert told["type"] == "message", told
            self.heard.append(told["text"])
        self.position = f"{self.epoch}:{told['offset']}"


class ByTime(Reader):
    """It is told nothing, and goes back as long as it was away, and a little longer."""

    heard_s: float | None = None

    def query(self) -> str:
        if self.heard_s is None:
            return "?history=100000"
        # The relay is younger than that may be; then it gets all there is.
        return f"?since={int(time.time() - self.heard_s) + 2}s&gap=ok"

    def hear(self, text: str) -> None:
        self.heard.append(text)
        self.heard_s = time.time()


@OVER_TLS_TOO
@pytest.mark.parametrize("seed", range(2))
def test_whoever_comes_back_hears_each_message_once_and_in_order_however_often_it_broke(
    serve: Serve, seed: int
) -> None:
    relay, dice = serve(KEEPING), Random(seed)
    readers = [ByPosition(relay, dice) for _ in range(6)]

    said = flood(relay, dice, readers)

    for reader in readers:
        reader.read_to(said[-1])
        assert reader.heard == said
    assert relay.metric('roomcast_resumes_total{outcome="resumed",template="rooms"}') > 10
    assert relay.metric('roomcast_disconnects_total{dialect="rfc6455",reason="lagging"}') == 0


def test_whoever_goes_back_by_time_hears_each_message_at_least_once(serve: Serve) -> None:
    relay, dice = serve(KEEPING), Random(7)
    readers = [ByTime(relay, dice) for _ in range(6)]

    said = flood(relay, dice, readers)

    for reader in readers:
        reader.read_to(said[-1])
        assert list(dict.fromkeys(reader.heard)) == said


def flood(relay: Relay, dice: Random, readers: list[ByPosition] | list[ByTime]) -> list[str]:
    """Let three publish while readers break and come back; return what was said, in the room's order."""
    publishers = [relay.join() for _ in range(3)]
    count = 0
    for _ in range(ROUNDS):
        for _ in range(dice.randrange(20)):
            dice.choice(publishers).say(f"{count}".ljust(dice.choice([8, 100, 3_000])))
            count += 1
        reader = dice.choice(readers)
        if reader.is_connected and dice.random() < 0.5:
            reader.cut()
        elif not reader.is_connected:
            reader.connect()
        dice.choice(readers).read(dice.choice([1, 100, 65_536]))
    publishers[0].say("the last")
    hub = relay.server.hub
    relay.until(lambda: hub.rooms[LOBBY].log.head == count + 1)
    return relay.call(lambda: [said.payload.decode() for said in hub.rooms[LOBBY].log.after(0, count + 1)])
