"""How the messages of a room look to its cohorts: one format for each dialect."""

from abc import ABC, abstractmethod

from roomcast.metrics import TransportCounters
from roomcast.protocol import hixie76, rfc6455
from roomcast.protocol.frames import Opcode
from roomcast.protocol.handshake import Dialect
from roomcast.relay.message import Kind

_OPCODES = {Kind.TEXT: Opcode.TEXT, Kind.BINARY: Opcode.BINARY}


class DialectFormat(ABC):
    """What members of one dialect are sent, as ``relay.message.WireFormat`` wants it.

    Args:
        dialect: What its members speak.
        counters: The public door's; the rooms count here what became of the frames.
    """

    __slots__ = ("dialect", "frames_sent", "sent_bytes")

    def __init__(self, dialect: Dialect, counters: TransportCounters) -> None:
        self.dialect = dialect
        # By opcode, and the number of a kind is that of its frames' opcode.
        self.frames_sent = counters.frames_sent[dialect]
        self.sent_bytes = 0
        counters.formats.append(self)

    @abstractmethod
    def encode(self, kind: Kind, payload: bytes) -> bytes | None:
        """Return the whole frame, or None where the dialect cannot carry this kind."""


class Rfc6455Format(DialectFormat):
    """Text and binary frames, never masked, never fragmented."""

    __slots__ = ()

    def __init__(self, counters: TransportCounters) -> None:
        super().__init__(Dialect.RFC6455, counters)

    def encode(self, kind: Kind, payload: bytes) -> bytes:
        """See ``DialectFormat.encode``."""
        return rfc6455.encode(_OPCODES[kind], payload)


class Hixie76Format(DialectFormat):
    """Text frames: the dialect has no binary ones that anybody reads."""

    __slots__ = ()

    def __init__(self, counters: TransportCounters) -> None:
        super().__init__(Dialect.HIXIE76, counters)

    def encode(self, kind: Kind, payload: bytes) -> bytes | None:
        """See ``DialectFormat.encode``."""
        return hixie76.encode(payload) if kind is Kind.TEXT else None
