"""How the messages of a room look in its event streams: one cohort, whoever reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roomcast.protocol import event_stream
from roomcast.relay.message import Kind, Message
from roomcast.relay.start import write_position

if TYPE_CHECKING:
    from collections.abc import Sequence

    from roomcast.metrics import TransportCounters
    from roomcast.relay.author import Person


class SseFormat:
    """What those are sent who asked for ``text/event-stream``, as ``relay.message.WireFormat`` wants it.

    Args:
        epoch: Of the positions in it.
        counters: The public door's.
    """

    __slots__ = ("_epoch", "dialect", "frames_sent", "sent_bytes")

    def __init__(self, epoch: str, counters: TransportCounters) -> None:
        self._epoch = epoch
        self.dialect = event_stream.NAME
        # By kind, for the rooms to count. No metric shows them: there are no opcodes here, and
        # messages are counted by template.
        self.frames_sent = [0] * (max(Kind) + 1)
        self.sent_bytes = 0
        counters.formats.append(self)

    def announce(self, come: Sequence[Person], gone: Sequence[Person], members: int) -> Sequence[bytes]:
        """Return nothing: who comes and goes is told to those who speak ``roomcast.json``."""
        del come, gone, members
        return ()

    def encode(self, message: Message) -> bytes:
        """Return the whole event. An event stream carries every kind."""
        write = event_stream.text_event if message.kind is Kind.TEXT else event_stream.binary_event
        return write(message.payload, write_position(self._epoch, message.offset))
