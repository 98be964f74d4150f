"""What a connection tells its owner, and what its owner may tell it to say.

Both decoders speak in these, so that nothing above them knows which dialect a
member has. Plain slotted classes: one is made for every message, and a named
tuple or a frozen dataclass would take twice as long.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from roomcast.protocol.errors import FrameError
from roomcast.protocol.frames import Opcode


@dataclass(slots=True)
class Message:
    """A whole message; a text payload is valid UTF-8."""

    opcode: Opcode
    payload: bytes
    padded_bytes: int = field(default=0, compare=False)
    """How many bytes it came in, if these are more than compression ever makes of such a payload; else 0."""


@dataclass(slots=True)
class Ping:
    """The peer asks for a pong that carries the same payload."""

    payload: bytes


@dataclass(slots=True)
class Pong:
    """The peer answered a ping, or says unasked that it lives."""

    payload: bytes


@dataclass(slots=True)
class Close:
    """The closing handshake; ``code`` is None where none was given, as always in hixie-76."""

    code: int | None
    reason: str


@dataclass(slots=True)
class Failed:
    """The peer broke a rule. Always the last event; ``error.close_code`` is the answer to send."""

    error: FrameError


@dataclass(slots=True)
class More:
    """Enough was inflated for one turn: bytes wait to be read, and ``receive(b"")`` goes on. Always the last event."""


Event: TypeAlias = Message | Ping | Pong | Close | Failed | More
