"""What clients put on the wire, built apart from the code under test."""

from collections.abc import Iterable

from roomcast.protocol.events import Event, Failed

KEY = bytes.fromhex("37fa213d")
"""The mask of RFC 6455's own examples."""


def frame(opcode: int, payload: bytes = b"", *, is_final: bool = True, key: bytes = KEY) -> bytes:
    """A client's frame as RFC 6455 draws it, lengths in their shortest form."""
    size = len(payload)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 0x10000:
        length = bytes([0x80 | 126]) + size.to_bytes(2, "big")
    else:
        length = bytes([0x80 | 127]) + size.to_bytes(8, "big")
    masked = bytes(byte ^ key[position % 4] for position, byte in enumerate(payload))
    return bytes([0x80 * is_final | opcode]) + length + key + masked


def pieces(stream: bytes, cuts: Iterable[int]) -> list[bytes]:
    """The stream, cut at these positions."""
    ends = [*sorted(cuts), len(stream)]
    return [stream[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def told(events: Iterable[Event]) -> list[object]:
    """Events that compare: of a fault, its code and its words."""
    return [(event.error.close_code, str(event.error)) if isinstance(event, Failed) else event for event in events]
