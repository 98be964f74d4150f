"""What a hostile case is: a name, what the attacker does, and what becomes of it.

A step is the bytes that the attacker sends, or a function of the attacker for
what bytes do not say: to shut its side, to wait for an answer, to come with a
thousand connections. The outcome is the strict answer, never merely one that
would do, and says three things: what the attacker sees, what the honest members
of the same room hear of it, and what the metrics count. Nothing else may happen.
"""

from __future__ import annotations

import socket
import ssl
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final, Protocol, Self, TypeAlias

from tests.wire import CLOSE, CLOSING, PING, PONG, Address, Goodbye, Rfc6455Client, Wire, connect, frame

ROOM: Final = "/rooms/hostile"
"""The room that attackers enter. Honest members are in it, and hear whatever gets through."""

TLS: Final = "tls"
"""Among the settings of a case: the relay has a certificate, and everybody speaks TLS."""

IMPATIENT: Final = ("limits.handshake_timeout_s=0.3", "limits.close_timeout_s=0.3")
"""Settings for what is about time: nobody should wait ten seconds for a test."""

Counts: TypeAlias = Mapping[str, int]
"""By how much each series of ``/metrics`` goes up, named as it stands there."""


class Attacker:
    """One client, or many: all that it opens is closed when its case is over.

    Args:
        address: Where the relay listens.
        source: From which address it comes; "" leaves that to the system.
        tls: Its side of TLS, where the relay speaks that.
    """

    def __init__(self, address: Address, *, source: str = "", tls: ssl.SSLContext | None = None) -> None:
        self._address = address
        self._source = source
        self._tls = tls
        self._wires = ExitStack()
        self._first: Wire | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._wires.close()

    @property
    def wire(self) -> Wire:
        """The connection that the outcome is about."""
        if self._first is None:
            self._first = self.connect()
        return self._first

    def connect(self, *, receive_buffer_bytes: int = 0) -> Wire:
        """Open another connection."""
        if self._source and isinstance(self._address, tuple):
            wire = Wire(socket.create_connection(self._address, source_address=(self._source, 0)))
        else:
            wire = connect(self._address, receive_buffer_bytes=receive_buffer_bytes, tls=self._tls)
        return self._wires.enter_context(wire)

    def begin_in_clear(self) -> None:
        """Open the connection without TLS, though the relay speaks it."""
        self._first = self._wires.enter_context(connect(self._address))

    def send(self, data: bytes) -> None:
        self.wire.send(data)


Step: TypeAlias = bytes | Callable[[Attacker], None]


class Outcome(Protocol):
    """What becomes of an attack. As a string, it is the answer in a few words."""

    @property
    def counts(self) -> Counts:
        """What the metrics count of handshakes, ends and limits, and nothing beside it."""

    @property
    def relayed(self) -> tuple[str | bytes, ...]:
        """The messages that honest members hear of it."""

    def check(self, attacker: Attacker) -> None:
        """Read what the attacker sees, to the end. Raises AssertionError."""


@dataclass(frozen=True, slots=True)
class Case:
    """One attack.

    Args:
        name: What is tried.
        steps: What the attacker does.
        outcome: What becomes of it.
        rule: Where the verdict comes from: a section, or a setting.
        settings: What the case needs beside the defaults.
        source: From which address the attacker comes, where that matters.
        files: How many open files the attacker must be allowed, and the relay too, where these are more than usual.
    """

    name: str
    steps: tuple[Step, ...]
    outcome: Outcome
    rule: str
    settings: tuple[str, ...] = ()
    files: int = 0
    source: str = ""

    def play(self, attacker: Attacker) -> None:
        """Do it, and check what the attacker sees."""
        for step in self.steps:
            if isinstance(step, bytes):
                attacker.send(step)
            else:
                step(attacker)
        self.outcome.check(attacker)


# --- outcomes


def handshake(outcome: str, dialect: str = "none") -> str:
    """Return the series that counts such a handshake."""
    return f'roomcast_handshakes_total{{dialect="{dialect}",outcome="{outcome}"}}'


def end(reason: str, dialect: str = "rfc6455") -> str:
    """Return the series that counts such an end of a connection."""
    return f'roomcast_disconnects_total{{dialect="{dialect}",reason="{reason}"}}'


def hit(limit: str, action: str) -> str:
    """Return the series that counts how often a limit was exceeded."""
    return f'roomcast_limit_hits_total{{action="{action}",limit="{limit}"}}'


@dataclass(frozen=True, slots=True)
class Refused:
    """One whole answer of HTTP, and the end of the stream. A second answer would be a smuggled request's."""

    status: int
    outcome: str
    dialect: str = "none"
    limit: str = ""
    """The setting that is exceeded, where one is."""
    relayed: tuple[str | bytes, ...] = ()

    @property
    def counts(self) -> Counts:
        return {handshake(self.outcome, self.dialect): 1} | _hits(self.limit, "refused")

    def __str__(self) -> str:
        return f"{self.status} {self.outcome}"

    def check(self, attacker: Attacker) -> None:
        head = attacker.wire.read_until(b"\r\n\r\n")
        assert head.startswith(f"HTTP/1.1 {self.status} ".encode()), head
        assert b"\r\nConnection: close" in head, head
        body = attacker.wire.read_to_end()
        assert b"\r\nContent-Length: %d\r\n" % len(body) in head, f"more than one answer: {head!r} {body!r}"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A 101 and a membership like any other: nothing was wrong, or nothing that is anybody's harm."""

    relayed: tuple[str | bytes, ...] = ()
    lines: tuple[str, ...] = ()
    """What the head of the 101 must hold."""

    @property
    def counts(self) -> Counts:
        return {handshake("accepted", "rfc6455"): 1, end("peer"): 1}

    def __str__(self) -> str:
        return "101"

    def check(self, attacker: Attacker) -> None:
        head = attacker.wire.read_until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        for line in self.lines:
            assert f"\r\n{line}\r\n".encode() in head, head
        _leave(attacker.wire)


@dataclass(frozen=True, slots=True)
class Stays:
    """A member that did nothing wrong: it says goodbye, and is answered."""

    relayed: tuple[str | bytes, ...] = ()

    @property
    def counts(self) -> Counts:
        return {handshake("accepted", "rfc6455"): 1, end("peer"): 1}

    def __str__(self) -> str:
        return "stays a member"

    def check(self, attacker: Attacker) -> None:
        _leave(attacker.wire)


@dataclass(frozen=True, slots=True)
class StaysHixie76:
    """The same, of the other dialect."""

    relayed: tuple[str | bytes, ...] = ()

    @property
    def counts(self) -> Counts:
        return {handshake("accepted", "hixie76"): 1, end("peer", "hixie76"): 1}

    def __str__(self) -> str:
        return "stays a member"

    def check(self, attacker: Attacker) -> None:
        attacker.wire.send(CLOSING)
        seen = attacker.wire.read_to_end()
        assert seen == CLOSING, seen


@dataclass(frozen=True, slots=True)
class Closed:
    """A close frame with this code and reason, and the end of the stream behind it."""

    code: int | None
    text: str
    relayed: tuple[str | bytes, ...] = ()
    reason: str = ""
    """The word that is counted, where it is not the first of the text."""
    limit: str = ""
    """The setting that is exceeded, where one is."""

    @property
    def counts(self) -> Counts:
        ended = end(self.reason or self.text.partition(" ")[0])
        return {handshake("accepted", "rfc6455"): 1, ended: 1} | _hits(self.limit, "closed")

    def __str__(self) -> str:
        return f"{self.code or 'close'} {self.text}"

    def check(self, attacker: Attacker) -> None:
        goodbye = _read_goodbye(attacker.wire)
        assert goodbye == Goodbye(self.code, self.text), goodbye
        rest = attacker.wire.read_to_end()
        assert rest == b"", f"after its close frame the relay sent {rest[:100]!r}"


@dataclass(frozen=True, slots=True)
class ClosedHixie76:
    """The goodbye of the dialect that knows no codes; the word is counted all the same."""

    reason: str
    relayed: tuple[str | bytes, ...] = ()
    limit: str = ""

    @property
    def counts(self) -> Counts:
        counts = {handshake("accepted", "hixie76"): 1, end(self.reason, "hixie76"): 1}
        return counts | _hits(self.limit, "closed")

    def __str__(self) -> str:
        return f"FF 00, {self.reason}"

    def check(self, attacker: Attacker) -> None:
        seen = attacker.wire.read_to_end()
        assert seen == CLOSING, seen


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The stream ends, and the attacker was told nothing more; or it is no longer there to be told."""

    counts: Counts
    relayed: tuple[str | bytes, ...] = ()
    is_read: bool = True

    def __str__(self) -> str:
        return "the end, without an answer"

    def check(self, attacker: Attacker) -> None:
        if self.is_read:
            seen = attacker.wire.read_to_end()
            assert seen == b"", seen


def gone_before_101() -> Unanswered:
    """Return the outcome of a client that left in the middle of its handshake."""
    return Unanswered({handshake("gone"): 1})


def gone(*relayed: str | bytes, dialect: str = "rfc6455") -> Unanswered:
    """Return the outcome of a member that left without a word, and is told none."""
    return Unanswered({handshake("accepted", dialect): 1, end("gone", dialect): 1}, relayed)


@dataclass(frozen=True, slots=True)
class Counted:
    """The outcome of many connections, each of which its step has checked."""

    counts: Counts
    relayed: tuple[str | bytes, ...] = ()
    is_relays_work: bool = False
    """Whether all is to be counted while the attackers are still there."""

    def __str__(self) -> str:
        return ", ".join(f"{count} × {_words(name)}" for name, count in self.counts.items())

    def check(self, attacker: Attacker) -> None:
        """Leave it at what the steps have seen."""


def added(*counts: Counts) -> Counts:
    """Return the counts of several clients together."""
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return total


def _hits(limit: str, action: str) -> dict[str, int]:
    return {hit(limit, action): 1} if limit else {}


def _words(series: str) -> str:
    """Return the values of a series' labels."""
    return " ".join(series.split('"')[1::2])


def _leave(wire: Wire) -> None:
    wire.send(frame(CLOSE, (1000).to_bytes(2, "big")))
    goodbye = _read_goodbye(wire)
    assert goodbye == Goodbye(1000, "peer"), goodbye
    rest = wire.read_to_end()
    assert rest == b"", rest


def _read_goodbye(wire: Wire) -> Goodbye:
    """Return what the close frame says. A ping of the relay's, or a pong that is owed, may come first."""
    client = Rfc6455Client(wire)
    while True:
        opcode, payload = client.read_frame()
        if opcode == CLOSE:
            return Goodbye(int.from_bytes(payload[:2], "big") if payload else None, payload[2:].decode("ascii"))
        assert opcode in (PING, PONG), f"opcode {opcode} with {payload[:100]!r} instead of a close frame"
