"""The WebSocket dialect of today, RFC 6455, as a server speaks it.

A frame says its length before its payload, and a client's is masked. So all
that can be refused is refused from the two to ten bytes in front: a message
that would be too big costs nobody a byte of memory.

Text is checked while it arrives, piece by piece. A peer that sends one bad
byte and then nothing for a minute is told at once, not after the minute.

Of a compressed message (``deflate.py``) the length in front is only what it is
packed into. So it is inflated as it arrives, and refused when it has become too
big; and since a segment can hold a thousand times its size, reading pauses after
a while, to go on when others have had their turn.

Bytes in, events out: nothing here reads a socket, a clock or a random source.

Source: RFC 6455; the numbers in comments are its sections.
"""

from __future__ import annotations

import struct
from typing import Final

from roomcast.protocol.control import read_control
from roomcast.protocol.deflate import STREAM_COST_BYTES, deflated_max_bytes
from roomcast.protocol.errors import FrameError, broken_rule, over_limit
from roomcast.protocol.events import Event, Failed, Message, More
from roomcast.protocol.frames import CONTROL_PAYLOAD_MAX_BYTES, Opcode, mask, may_be_sent
from roomcast.protocol.header import COMPRESSED, FINAL, LENGTH_IN_2_BYTES, LENGTH_IN_8_BYTES, MASKED, read_header
from roomcast.protocol.incoming import Incoming, check_utf8
from roomcast.protocol.rates import FrameRates

INFLATED_PER_TURN_BYTES: Final = 262_144
"""How much is inflated, about, before others get their turn: a millisecond or two."""

_WHOLE_MESSAGES: Final = {FINAL | opcode: opcode for opcode in (Opcode.TEXT, Opcode.BINARY)}

# Python 3.11 takes 100 ns to look a member up in its enum, a twelfth of what a
# whole small message may cost.
_CONTINUATION: Final = Opcode.CONTINUATION
_TEXT: Final = Opcode.TEXT
_CLOSE: Final = Opcode.CLOSE
_from_bytes = int.from_bytes
_pack_medium = struct.Struct("!BBH").pack
_pack_long = struct.Struct("!BBQ").pack


def encode(opcode: Opcode, payload: bytes, *, is_compressed: bool = False) -> bytes:
    """Return one frame as this server sends it: whole and unmasked.

    Raises:
        ValueError: If a control frame would carry more than 125 bytes.
    """
    first = opcode | (FINAL | COMPRESSED if is_compressed else FINAL)
    size = len(payload)
    if size <= CONTROL_PAYLOAD_MAX_BYTES:
        return bytes((first, size)) + payload
    if opcode >= _CLOSE:
        raise ValueError(f"a {opcode.name} frame of {size} bytes: a control frame carries {CONTROL_PAYLOAD_MAX_BYTES}")
    if size <= 0xFFFF:
        return _pack_medium(first, LENGTH_IN_2_BYTES, size) + payload
    return _pack_long(first, LENGTH_IN_8_BYTES, size) + payload


def encode_close(code: int | None, reason: str = "") -> bytes:
    """Return a close frame; without a code it is empty and the reason is left out.

    Raises:
        ValueError: If the code must not be sent (7.4), or the reason is longer
            than 123 bytes of UTF-8.
    """
    if code is None:
        return encode(_CLOSE, b"")
    if not may_be_sent(code):
        raise ValueError(f"close code {code} must not stand in a close frame")
    return encode(_CLOSE, code.to_bytes(2, "big") + reason.encode())


class Decoder:
    """Turns what a client sends into events, however its bytes are cut.

    Faults come out as a last event, ``Failed``, behind all that came before
    them.

    Args:
        message_max_bytes: The longest message, over all its fragments; 0: any.
        fragments_max: The most frames that one message may be cut into; 0: any.
        frame_counts: Sixteen counters, one per opcode, usually shared between
            connections. A frame is counted when all of it has been accepted.
        rates: How often frames may come that end no message; None: any.
        may_inflate: Whether messages may be compressed, since that was agreed on.
    """

    __slots__ = (
        "_control_even_s",
        "_fragments_even_s",
        "_fragments_max",
        "_frame_counts",
        "_held",
        "_incoming",
        "_inflated_bytes",
        "_may_inflate",
        "_message_max_bytes",
        "_rates",
        "_whole_max_bytes",
        "is_over",
    )

    def __init__(
        self,
        *,
        message_max_bytes: int,
        fragments_max: int,
        frame_counts: list[int],
        rates: FrameRates | None = None,
        may_inflate: bool = False,
    ) -> None:
        self._message_max_bytes = message_max_bytes
        self._whole_max_bytes = min(message_max_bytes or 0xFFFF, 0xFFFF)
        self._fragments_max = fragments_max
        self._frame_counts = frame_counts
        self._rates = rates
        # Integers until the first such frame: a float of its own is 24 bytes.
        self._control_even_s: float = 0
        self._fragments_even_s: float = 0
        self.is_over = False
        """Whether the last event has been a ``Close`` or a ``Failed``: feed it nothing more."""
        self._may_inflate = may_inflate
        # Since the last pause.
        self._inflated_bytes = 0
        # A header, or a control frame, of which the end has not come: 131
        # bytes at the most. Joining it to the next segment is cheap. After a
        # pause it is what is left of the segment.
        self._held = b""
        # Most members are silent most of the time. What a half-read message
        # needs is made when one begins and dropped when it ends.
        self._incoming: Incoming | None = None

    def receive(self, data: bytes) -> list[Event]:
        """Return what these bytes, after all those before, complete."""
        if self._held:
            data, self._held = self._held + data, b""
        events: list[Event] = []
        position = 0
        try:
            while position < len(data):
                position = self._whole_message(data, position, events) or self._frame(data, position, events)
        except FrameError as error:
            events.append(Failed(error))
            self.is_over = True
        return events

    def _whole_message(self, data: bytes, start: int, events: list[Event]) -> int:
        """Read a message that is one short frame, all of it here; return its end, or 0 if it is anything else.

        Nearly all that clients send is this, and ``_frame`` takes three times
        as long. Nothing is refused here: what looks wrong is left to it.
        """
        if self._incoming is not None or len(data) < start + 6:
            return 0
        opcode = _WHOLE_MESSAGES.get(data[start])
        key_start = start + 2
        # Without the mask bit this comes out at 128 or more.
        length = data[start + 1] ^ MASKED
        if length > CONTROL_PAYLOAD_MAX_BYTES:
            if length != LENGTH_IN_2_BYTES:
                return 0
            length = data[start + 2] << 8 | data[start + 3]
            if length <= CONTROL_PAYLOAD_MAX_BYTES:
                return 0
            key_start = start + 4
        payload_start = key_start + 4
        end = payload_start + length
        if opcode is None or length > self._whole_max_bytes or end > len(data):
            return 0
        # mask(), written out: the call alone is a tenth of the time.
        stream = _from_bytes((data[key_start:payload_start] * ((length >> 2) + 1))[:length], "little")
        payload = (_from_bytes(data[payload_start:end], "little") ^ stream).to_bytes(length, "little")
        if opcode is _TEXT and not payload.isascii():
            check_utf8(payload)
        self._frame_counts[opcode] += 1
        events.append(Message(opcode, payload))
        return end

    def _frame(self, data: bytes, start: int, events: list[Event]) -> int:
        """Read on by one frame, or by as much of it as is here; return how far that was."""
        if self._incoming is not None and self._incoming.remaining:
            return self._take(self._incoming, data, start, events)
        header = read_header(data, start, may_inflate=self._may_inflate)
        if header is None:
            return self._hold(data, start)
        opcode, length, key_start = header
        if opcode >= _CLOSE:
            return self._control_frame(opcode, length, data, start, events)
        is_compressed = data[start] & COMPRESSED != 0
        self._admit(opcode, length, is_compressed=is_compressed)
        payload_start = key_start + 4
        if payload_start > len(data):
            return self._hold(data, start)
        incoming = self._begin(opcode, is_compressed=is_compressed)
        incoming.begin_frame(length, data[key_start:payload_start], is_final=data[start] >= FINAL)
        return self._take(incoming, data, payload_start, events)

    def _hold(self, data: bytes, start: int) -> int:
        self._held = data[start:]
        return len(data)

    def _control_frame(self, opcode: Opcode, length: int, data: bytes, start: int, events: list[Event]) -> int:
        """Read one, between messages or inside of one, as soon as all of it is here."""
        end = start + 6 + length
        if end > len(data):
            return self._hold(data, start)
        if self._rates is not None and opcode is not _CLOSE:
            self._control_even_s = self._rates.control(self._control_even_s)
        events.append(read_control(opcode, mask(data[start + 6 : end], data[start + 2 : start + 6])))
        self._frame_counts[opcode] += 1
        if opcode is not _CLOSE:
            return end
        # "… discarding any further data received" (1.4).
        self.is_over = True
        return len(data)

    def _admit(self, opcode: Opcode, length: int, *, is_compressed: bool) -> None:
        """Refuse a data frame that its header condemns, before one byte of it is kept."""
        incoming = self._incoming
        if incoming is None:
            if opcode is _CONTINUATION:
                raise broken_rule("a CONTINUATION frame without a message to continue")
            self._admit_size(length, 1, is_compressed=is_compressed)
            return
        if opcode is not _CONTINUATION:
            raise broken_rule(f"a {opcode.name} frame inside an unfinished message")
        frames = incoming.fragments + 1
        self._admit_size(length + incoming.received_bytes, frames, is_compressed=incoming.inflater is not None)
        # Asked once in each message: the limit may be one that is only reported.
        if 0 < self._fragments_max == frames - 1 and not self._may_exceed("fragments_max"):
            text = f"a message of more frames than fragments_max = {self._fragments_max}"
            raise over_limit(text, "fragments_max")

    def _may_exceed(self, limit: str) -> bool:
        return self._rates is not None and self._rates.may_exceed(limit)

    def _admit_size(self, size: int, frames: int, *, is_compressed: bool) -> None:
        limit = self._message_max_bytes
        if not limit:
            return
        if is_compressed and size > deflated_max_bytes(limit, frames):
            raise over_limit(f"a message longer than message_max_bytes = {limit}, even compressed", "message_max_bytes")
        if not is_compressed and size > limit:
            raise over_limit(f"a message longer than message_max_bytes = {limit}", "message_max_bytes")

    def _begin(self, opcode: Opcode, *, is_compressed: bool) -> Incoming:
        if self._incoming is None:
            self._incoming = Incoming(opcode, is_compressed=is_compressed, message_max_bytes=self._message_max_bytes)
        return self._incoming

    def _take(self, incoming: Incoming, data: bytes, start: int, events: list[Event]) -> int:
        """Take what is here of the payload; at its end the frame is done, and perhaps the message."""
        end = min(start + incoming.remaining, len(data))
        incoming.take(data[start:end])
        if incoming.remaining:
            return end
        self._frame_counts[_CONTINUATION if incoming.fragments > 1 else incoming.opcode] += 1
        if not incoming.is_final:
            if self._rates is not None:
                self._fragments_even_s = self._rates.fragment(self._fragments_even_s)
            return end
        events.append(Message(incoming.opcode, bytes(incoming.payload), incoming.padded_bytes))
        self._incoming = None
        if incoming.inflater is None:
            return end
        self._inflated_bytes += len(incoming.payload) + incoming.inflater.streams * STREAM_COST_BYTES
        return self._pause_if_due(data, end, events)

    def _pause_if_due(self, data: bytes, end: int, events: list[Event]) -> int:
        """Leave the rest of a segment for later, when enough came out of it: 16 KiB could keep us for 20 ms."""
        if self._inflated_bytes < INFLATED_PER_TURN_BYTES:
            return end
        self._inflated_bytes = 0
        if end < len(data):
            events.append(More())
        return self._hold(data, end)
