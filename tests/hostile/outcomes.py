"""Every way in which an attack may end: what the attacker reads, and what is counted of it."""

from __future__ import annotations

from dataclasses import dataclass

from tests.event_source import EventStream
from tests.hostile.cases import Attacker, Counts
from tests.wire import CLOSE, CLOSING, PING, PONG, Goodbye, Rfc6455Client, Wire, frame, goodbye_of


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
class Streamed:
    """An event stream like any other, to which nothing is done but that it ends."""

    reason: str
    goodbye: str = ""
    """What it is told, where it does not leave by itself."""
    relayed: tuple[str | bytes, ...] = ()

    @property
    def counts(self) -> Counts:
        return {handshake("accepted", "sse"): 1, end(self.reason, "sse"): 1}

    def __str__(self) -> str:
        return f"200, {self.goodbye}" if self.goodbye else "200"

    def check(self, attacker: Attacker) -> None:
        status, headers = attacker.wire.read_head()
        assert status == 200, headers
        assert headers["content-type"] == "text/event-stream", headers
        stream = EventStream(attacker.wire, headers)
        stream.begin()
        if self.goodbye:
            assert stream.told("goodbye")["reason"] == self.goodbye
        attacker.wire.close()


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
            return goodbye_of(payload)
        assert opcode in (PING, PONG), f"opcode {opcode} with {payload[:100]!r} instead of a close frame"
