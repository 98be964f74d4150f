"""One member's side of the wire: what arrived, as events; what to say, as bytes.

The only thing known here and not in the dialects is how a connection ends.
Each side says goodbye once. After its goodbye, or its fault, the peer is not
listened to; after ours nothing is sent and no message is taken, but the
peer's goodbye is still awaited.
"""

from __future__ import annotations

from typing import TypeAlias

from roomcast.protocol import hixie76, rfc6455
from roomcast.protocol.events import Close, Event, Failed, Message, More, Ping, Pong
from roomcast.protocol.frames import Opcode
from roomcast.protocol.handshake import Dialect
from roomcast.protocol.rates import FrameRates

__all__ = ["Close", "Connection", "Event", "Failed", "Message", "More", "Ping", "Pong", "Sendable"]

Sendable: TypeAlias = Message | Ping | Pong | Close


class Connection:
    """The state of one connection after the 101. Idle, it is about a hundred bytes.

    Args:
        dialect: What the handshake agreed on.
        message_max_bytes: The longest message taken; 0: any.
        fragments_max: The most frames of one message; 0: any.
        frame_counts: Sixteen integers by opcode, counted up for each frame
            received and meant to be shared between connections. A frame that
            hixie-76 has us discard counts as BINARY, its ``FF 00`` as CLOSE.
        rates: How often frames may come that bring no message; None: any.
        may_inflate: Whether the handshake agreed that messages may be compressed.
    """

    __slots__ = ("_decoder", "_is_closing", "dialect")

    def __init__(
        self,
        dialect: Dialect,
        *,
        message_max_bytes: int,
        fragments_max: int,
        frame_counts: list[int] | None = None,
        rates: FrameRates | None = None,
        may_inflate: bool = False,
    ) -> None:
        counts = [0] * 16 if frame_counts is None else frame_counts
        self.dialect = dialect
        self._is_closing = False
        self._decoder: rfc6455.Decoder | hixie76.Decoder | None
        if dialect is Dialect.RFC6455:
            self._decoder = rfc6455.Decoder(
                message_max_bytes=message_max_bytes,
                fragments_max=fragments_max,
                frame_counts=counts,
                rates=rates,
                may_inflate=may_inflate,
            )
        else:
            self._decoder = hixie76.Decoder(message_max_bytes=message_max_bytes, frame_counts=counts, rates=rates)

    def receive(self, data: bytes) -> list[Event]:
        """Return the events that these bytes complete, in the order in which they were sent.

        What came before a fault is returned in front of it. A ``Close`` or a
        ``Failed`` is the last event ever; the bytes after it are ignored. After
        a ``More`` the bytes that wait are read with those of the next call.
        """
        if self._decoder is None:
            return []
        events = self._decoder.receive(data)
        if self._decoder.is_over:
            # What had come of an unfinished message goes with it.
            self._decoder = None
        if self._is_closing:
            return [event for event in events if not isinstance(event, Message)]
        return events

    def send(self, event: Sendable) -> bytes:
        """Return what to write for an event: nothing where the dialect has no such frame, or after a ``Close``.

        Raises:
            ValueError: If the event cannot stand in a frame: a ping longer
                than 125 bytes, a close code that must not be sent.
        """
        if self._is_closing:
            return b""
        encoded = _in_rfc6455(event) if self.dialect is Dialect.RFC6455 else _in_hixie76(event)
        self._is_closing = isinstance(event, Close)
        return encoded


def _in_rfc6455(event: Sendable) -> bytes:
    match event:
        case Message():
            return rfc6455.encode(event.opcode, event.payload)
        case Ping():
            return rfc6455.encode(Opcode.PING, event.payload)
        case Pong():
            return rfc6455.encode(Opcode.PONG, event.payload)
        case _:
            return rfc6455.encode_close(event.code, event.reason)


def _in_hixie76(event: Sendable) -> bytes:
    """It has two frames to send: a text and a goodbye that gives no code."""
    match event:
        case Message(Opcode.TEXT, payload):
            return hixie76.encode(payload)
        case Close():
            return hixie76.CLOSING
        case _:
            return b""
