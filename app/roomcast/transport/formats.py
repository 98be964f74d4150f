"""How the messages of a room look to its cohorts: a format for each dialect, and for each window of compression."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from roomcast.metrics import TransportCounters
from roomcast.protocol import hixie76, json_messages, rfc6455
from roomcast.protocol.deflate import Agreement, Deflater, negotiate
from roomcast.protocol.frames import Opcode
from roomcast.protocol.handshake import Dialect
from roomcast.protocol.request import Request
from roomcast.relay.author import Person
from roomcast.relay.message import Kind, Message
from roomcast.transport.sse_format import SseFormat

_OPCODES = {Kind.TEXT: Opcode.TEXT, Kind.BINARY: Opcode.BINARY}


class DialectFormat(ABC):
    """What members of one dialect are sent, as ``relay.message.WireFormat`` wants it.

    Args:
        dialect: What its members speak.
        counters: The public door's; the rooms count here what became of the frames.
    """

    __slots__ = ("dialect", "frames_sent", "may_inflate", "sent_bytes")

    may_inflate: bool
    """Whether its members may compress what they send, too."""

    def __init__(self, dialect: Dialect, counters: TransportCounters) -> None:
        self.dialect = dialect
        self.may_inflate = False
        # By opcode, and the number of a kind is that of its frames' opcode.
        self.frames_sent = counters.frames_sent[dialect]
        self.sent_bytes = 0
        counters.formats.append(self)

    def encode(self, message: Message) -> bytes | None:
        """Return the whole frame, or None where the dialect cannot carry this kind."""
        return self.frame(message.kind, message.payload)

    def announce(self, come: Sequence[Person], gone: Sequence[Person], members: int) -> Sequence[bytes]:
        """Return nothing: whatever raw members were told would be a message."""
        del come, gone, members
        return ()

    @abstractmethod
    def frame(self, kind: Kind, payload: bytes) -> bytes | None:
        """Return a frame with a payload that is no message of a room's, or None likewise."""


class Rfc6455Format(DialectFormat):
    """Text and binary frames, never masked, never fragmented."""

    __slots__ = ()

    def __init__(self, counters: TransportCounters) -> None:
        super().__init__(Dialect.RFC6455, counters)

    def encode(self, message: Message) -> bytes:
        """See ``DialectFormat.encode``. Without the call in between: it is asked for each message."""
        return rfc6455.encode(_OPCODES[message.kind], message.payload)

    def frame(self, kind: Kind, payload: bytes) -> bytes:
        """See ``DialectFormat.frame``."""
        return rfc6455.encode(_OPCODES[kind], payload)


class Hixie76Format(DialectFormat):
    """Text frames: the dialect has no binary ones that anybody reads."""

    __slots__ = ()

    def __init__(self, counters: TransportCounters) -> None:
        super().__init__(Dialect.HIXIE76, counters)

    def frame(self, kind: Kind, payload: bytes) -> bytes | None:
        """See ``DialectFormat.frame``."""
        return hixie76.encode(payload) if kind is Kind.TEXT else None


class JsonFormat(DialectFormat):
    """What members are sent who speak ``roomcast.json``: each message as a text that says more about it.

    Args:
        base: The format of the frames that carry these texts.
        counters: As for every format.
    """

    __slots__ = ("_base",)

    def __init__(self, base: DialectFormat, counters: TransportCounters) -> None:
        super().__init__(base.dialect, counters)
        self._base = base
        self.frames_sent = counters.json_frames_sent[base.dialect]
        self.may_inflate = base.may_inflate

    def encode(self, message: Message) -> bytes | None:
        """See ``DialectFormat.encode``. There is no kind that it cannot carry."""
        sender = message.sender
        return self._base.frame(
            Kind.TEXT,
            json_messages.message(
                message.offset,
                author=None if sender is None else sender.id,
                subject=None if sender is None else sender.subject,
                published_s=message.published_s,
                is_text=message.kind is Kind.TEXT,
                payload=message.payload,
            ),
        )

    def announce(self, come: Sequence[Person], gone: Sequence[Person], members: int) -> Sequence[bytes]:
        """Return one frame for those who have come, and one for those who have gone, where there are any."""
        told = []
        if come:
            told.append(json_messages.joined(people(come, len(come)), members))
        if gone:
            told.append(json_messages.left(people(gone, len(gone)), members))
        return [self.frame(Kind.TEXT, text) or b"" for text in told]

    def frame(self, kind: Kind, payload: bytes) -> bytes | None:
        """See ``DialectFormat.frame``."""
        return self._base.frame(kind, payload)


def people(persons: Iterable[Person], count: int) -> json_messages.People:
    """Return how ``roomcast.json`` lists so many: the first of them, and how many more."""
    return json_messages.People.of(((person.id, person.subject) for person in persons), count)


@dataclass(frozen=True, slots=True)
class Deflation:
    """How messages are compressed: the settings of ``[deflate]``, where it is enabled."""

    level: int
    min_bytes: int


class DeflateFormat(Rfc6455Format):
    """The same frames, compressed where that makes them shorter, for all who agreed to one window.

    Args:
        window_bits: The window, as a power of two.
        deflation: How.
        counters: As for every format; what compression does is counted there, too.
    """

    __slots__ = ("_counters", "_deflater", "_min_bytes")

    def __init__(self, window_bits: int, deflation: Deflation, counters: TransportCounters) -> None:
        super().__init__(counters)
        self.may_inflate = True
        self._counters = counters
        self._deflater = Deflater(window_bits, deflation.level)
        self._min_bytes = deflation.min_bytes

    def encode(self, message: Message) -> bytes:
        """See ``DialectFormat.encode``."""
        return self.frame(message.kind, message.payload)

    def frame(self, kind: Kind, payload: bytes) -> bytes:
        """See ``DialectFormat.frame``. The room asks once for each message, whatever the number of members."""
        size = len(payload)
        if size < self._min_bytes:
            return super().frame(kind, payload)
        deflated = self._deflater.deflate(payload)
        is_shorter = len(deflated) < size
        counters = self._counters
        counters.deflated_messages += 1
        counters.deflate_input_bytes += size
        counters.deflate_output_bytes += len(deflated) if is_shorter else size
        if is_shorter:
            return rfc6455.encode(_OPCODES[kind], deflated, is_compressed=True)
        # Pictures and the like. "An endpoint MAY … send the message uncompressed" (RFC 7692, 6).
        return super().frame(kind, payload)


class Formats:
    """The formats of this process, and who gets which.

    One for each window is made when the first member agrees to it: it holds up
    to 260 KiB of zlib's, and most clients ask for the same.

    Args:
        counters: The public door's.
        deflation: How to compress; None: not at all.
    """

    def __init__(self, counters: TransportCounters, deflation: Deflation | None = None) -> None:
        self._counters = counters
        self._deflation = deflation
        self._plain: dict[Dialect, DialectFormat] = {
            Dialect.RFC6455: Rfc6455Format(counters),
            Dialect.HIXIE76: Hixie76Format(counters),
        }
        # By window and settings. Each has sent something, which counts for as long as the process runs: so they
        # stay, and settings that come back by a reload find theirs.
        self._deflated: dict[tuple[int, Deflation], DeflateFormat] = {}
        self._json: dict[DialectFormat, JsonFormat] = {}
        self._events: SseFormat | None = None

    def change(self, deflation: Deflation | None) -> None:
        """Compress newcomers' messages in another way. Who is there goes on with what was agreed on."""
        self._deflation = deflation

    def events(self, epoch: str) -> SseFormat:
        """Return the format of event streams, whose positions are under this epoch."""
        if self._events is None:
            self._events = SseFormat(epoch, self._counters)
        return self._events

    def negotiate(self, request: Request, dialect: Dialect) -> Agreement | None:
        """Return what is agreed on with a client about compression: nothing, where it is not enabled.

        Raises:
            HandshakeError: With status 400, if its offers cannot be read, enabled or not.
        """
        if dialect is not Dialect.RFC6455:
            return None
        agreement = negotiate(request.all("sec-websocket-extensions"))
        return None if self._deflation is None else agreement

    def find(self, dialect: Dialect, agreement: Agreement | None = None, *, is_json: bool = False) -> DialectFormat:
        """Return the format for members who speak this, and agreed to that."""
        base = self._find(dialect, agreement)
        if not is_json:
            return base
        if base not in self._json:
            self._json[base] = JsonFormat(base, self._counters)
        return self._json[base]

    def _find(self, dialect: Dialect, agreement: Agreement | None) -> DialectFormat:
        if agreement is None or self._deflation is None:
            return self._plain[dialect]
        wanted = agreement.window_bits, self._deflation
        if wanted not in self._deflated:
            self._deflated[wanted] = DeflateFormat(*wanted, self._counters)
        return self._deflated[wanted]
