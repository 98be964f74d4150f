"""What clients put on the wire, built apart from the code under test."""

import zlib
from collections.abc import Callable, Iterable

from roomcast.protocol.events import Event, Failed, More

KEY = bytes.fromhex("37fa213d")
"""The mask of RFC 6455's own examples."""


def frame(
    opcode: int, payload: bytes = b"", *, is_final: bool = True, is_compressed: bool = False, key: bytes = KEY
) -> bytes:
    """A client's frame as RFC 6455 draws it, lengths in their shortest form; RSV1 if its message is compressed."""
    size = len(payload)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 0x10000:
        length = bytes([0x80 | 126]) + size.to_bytes(2, "big")
    else:
        length = bytes([0x80 | 127]) + size.to_bytes(8, "big")
    masked = bytes(byte ^ key[position % 4] for position, byte in enumerate(payload))
    return bytes([0x80 * is_final | 0x40 * is_compressed | opcode]) + length + key + masked


def deflated(payload: bytes, *, level: int = 6, flushed_every: int = 0) -> bytes:
    """A message as RFC 7692 has a client compress it, perhaps flushed in between."""
    stream = zlib.compressobj(level, zlib.DEFLATED, -15)
    step = flushed_every or len(payload) or 1
    parts = [payload[start : start + step] for start in range(0, len(payload), step)] or [b""]
    data = b"".join(stream.compress(part) + stream.flush(zlib.Z_SYNC_FLUSH) for part in parts)
    return data[:-4] or b"\x00"


def all_events(receive: Callable[[bytes], list[Event]], data: bytes) -> list[Event]:
    """What these bytes lead to, over as many turns as are asked for."""
    events = receive(data)
    while events and isinstance(events[-1], More):
        events = events[:-1] + receive(b"")
    return events


def pieces(stream: bytes, cuts: Iterable[int]) -> list[bytes]:
    """The stream, cut at these positions."""
    ends = [*sorted(cuts), len(stream)]
    return [stream[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def told(events: Iterable[Event]) -> list[object]:
    """Events that compare: of a fault, its code and its words."""
    return [(event.error.close_code, str(event.error)) if isinstance(event, Failed) else event for event in events]
