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
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final, Protocol, Self, TypeAlias

from tests.wire import Address, Wire, connect

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
