"""What stands in front of a client's payload: opcode, length, and the mask's key.

All that can be refused without the payload is refused here, from the two to
ten bytes before the key. Of the three reserved bits one has a meaning, where it
was agreed on: the message is compressed. The others are faults.

Source: RFC 6455, section 5.2, whose picture of a frame is worth a look, and
RFC 7692, section 6.
"""

from __future__ import annotations

from typing import Final

from roomcast.protocol.errors import broken_rule
from roomcast.protocol.frames import CONTROL_PAYLOAD_MAX_BYTES, Opcode

FINAL: Final = 0x80
"""The bit of the first byte that says: the message ends with this frame."""

COMPRESSED: Final = 0x40
"""The bit of the first byte, RSV1, that says: the message that begins here is compressed."""

MASKED: Final = 0x80
"""The bit of the second byte that says: a key follows the length."""

LENGTH_IN_2_BYTES: Final = 126
LENGTH_IN_8_BYTES: Final = 127
"""The second byte holds a length up to 125; with these two it follows."""

_RESERVED_BITS: Final = 0x70
_OPCODES: Final = {opcode.value: opcode for opcode in Opcode}
_CLOSE: Final = Opcode.CLOSE
_BEGINS_A_MESSAGE: Final = frozenset((Opcode.TEXT, Opcode.BINARY))


def read_header(data: bytes, start: int, *, may_inflate: bool = False) -> tuple[Opcode, int, int] | None:
    """Return a frame's opcode, its length and where its key begins, or None while that is not all here.

    Args:
        data: What has arrived.
        start: Where in it the frame begins.
        may_inflate: Whether permessage-deflate was agreed on, so that a message may be ``COMPRESSED``.
    """
    if len(data) < start + 2:
        return None
    opcode = _check_first_byte(data[start], may_inflate=may_inflate)
    if not data[start + 1] & MASKED:
        raise broken_rule(f"a {opcode.name} frame that is not masked, as a client's must be")
    length = data[start + 1] ^ MASKED
    if length <= CONTROL_PAYLOAD_MAX_BYTES:
        return opcode, length, start + 2
    if opcode >= _CLOSE:
        raise broken_rule(f"a {opcode.name} frame of more than {CONTROL_PAYLOAD_MAX_BYTES} bytes")
    end = start + (4 if length == LENGTH_IN_2_BYTES else 10)
    if len(data) < end:
        return None
    return opcode, _check_length(data[start + 2 : end]), end


def _check_first_byte(first: int, *, may_inflate: bool) -> Opcode:
    reserved = first & _RESERVED_BITS
    if reserved and not (may_inflate and reserved == COMPRESSED):
        raise broken_rule(f"frame starts with 0x{first:02X}: its reserved bits must be 0")
    opcode = _OPCODES.get(first & 0x0F)
    if opcode is None:
        raise broken_rule(f"frame starts with 0x{first:02X}: its opcode is reserved")
    if reserved and opcode not in _BEGINS_A_MESSAGE:
        # "An endpoint MUST NOT set the "Per-Message Compressed" bit of control frames and
        # non-first fragments of a data message" (RFC 7692, 6).
        raise broken_rule(f"a {opcode.name} frame that says it is compressed: the first of a message says it")
    if opcode >= _CLOSE and not first & FINAL:
        raise broken_rule(f"a {opcode.name} frame that is a fragment")
    return opcode


def _check_length(encoded: bytes) -> int:
    """Read a length of two or eight bytes: "the minimal number of bytes MUST be used" (5.2)."""
    length = int.from_bytes(encoded, "big")
    if length < (LENGTH_IN_2_BYTES if len(encoded) == 2 else 0x10000):
        raise broken_rule(f"length {length} is encoded in {len(encoded)} bytes, not in fewer")
    if length >> 63:
        raise broken_rule(f"length {length} has its highest bit set")
    return length
