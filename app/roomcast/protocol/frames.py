"""The words both dialects and their callers share: opcodes, close codes, the mask.

Source: RFC 6455, sections 5.2, 5.3, 7.4, 11.7 and 11.8.
"""

from __future__ import annotations

from enum import IntEnum


class Opcode(IntEnum):
    """What a frame is. The other ten of the sixteen values are reserved."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


class CloseCode(IntEnum):
    """The registered close codes that Roomcast sends.

    1004 to 1006, 1010, 1014 and 1015 are never sent: they are reserved, for
    local use, or a client's or a gateway's to say. Codes from 4400 up, which
    say why a room let a member go, belong to the rooms and not to the wire.
    """

    NORMAL = 1000
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    NOT_UTF8 = 1007
    POLICY_VIOLATION = 1008
    TOO_BIG = 1009
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013


CONTROL_PAYLOAD_MAX_BYTES = 125
"""What one control frame can carry (RFC 6455, 5.5); a close reason has two bytes less."""

# "1004 Reserved", and 1005, 1006 and 1015 "MUST NOT be set as a status code in
# a Close control frame by an endpoint" (RFC 6455, 7.4.1). 1012 to 1014 were
# registered with IANA later; 1016 to 2999 are still nobody's.
_MAY_BE_RECEIVED = frozenset((1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)))

_from_bytes = int.from_bytes


def may_be_received(code: int) -> bool:
    """Tell whether a peer is allowed to put this code into a close frame."""
    return code in _MAY_BE_RECEIVED


def may_be_sent(code: int) -> bool:
    """Tell whether a server may put this code into a close frame: 1010 is a client's to say, 1014 a gateway's."""
    return code in _MAY_BE_RECEIVED and code not in (1010, 1014)


def mask(payload: bytes, key: bytes, offset: int = 0) -> bytes:
    """Mask or unmask a payload: the same operation, and as long as it was.

    Args:
        payload: The whole payload or a piece of it.
        key: The frame's four bytes.
        offset: Where in its frame the piece begins.
    """
    size = len(payload)
    if turn := offset & 3:
        key = key[turn:] + key[:turn]
    # One XOR of two long integers: a loop over the bytes in Python takes forty
    # times as long. Translating every fourth byte is slower below 1 KiB, and
    # above it saves a quarter.
    stream = (key * ((size >> 2) + 1))[:size]
    return (_from_bytes(payload, "little") ^ _from_bytes(stream, "little")).to_bytes(size, "little")
