"""What the three control frames of RFC 6455 carry: a ping, its pong, a goodbye.

Source: RFC 6455, sections 5.5 and 7.4.
"""

from __future__ import annotations

from typing import Final

from roomcast.protocol.errors import broken_rule
from roomcast.protocol.events import Close, Event, Ping, Pong
from roomcast.protocol.frames import Opcode, may_be_received
from roomcast.protocol.incoming import check_utf8

_CLOSE: Final = Opcode.CLOSE


def read_control(opcode: Opcode, payload: bytes) -> Event:
    """Return the event that a control frame is, given its unmasked payload.

    Raises:
        FrameError: If it is a goodbye that breaks a rule: 1002 for its code, 1007 for its reason.
    """
    if opcode is _CLOSE:
        return _read_close(payload)
    return Ping(payload) if opcode is Opcode.PING else Pong(payload)


def _read_close(payload: bytes) -> Close:
    if not payload:
        return Close(None, "")
    if len(payload) == 1:
        raise broken_rule("a CLOSE frame of 1 byte: a close code takes two")
    code = int.from_bytes(payload[:2], "big")
    if not may_be_received(code):
        raise broken_rule(f"close code {code} must not stand in a CLOSE frame")
    check_utf8(payload[2:])
    return Close(code, payload[2:].decode())
